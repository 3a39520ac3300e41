"""An emulated AWS that enforces IAM (ministack), behind its front, and the simulated Notion."""

import json

import boto3

from front import Front
from tools import Process, check, environment, free_port, program, readme, run, venv_program

# The two environments of samconfig.toml.
STACK, PRODUCTION = "notion-install-dev", "notion-install"
CLIENT_ID = "463558a3-725e-4f37-b6d3-0889894f68de"
# The default of the simulated Notion, from its README.
CLIENT_SECRET = "secret_demo_not_for_production"
# The emulator rejects a template that makes an archive.
NO_ARCHIVE = {"EventsArchiveDays": "0"}
SERVICES = [
    "acm",
    "apigateway",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "route53",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
]


class Emulator:
    def __init__(self):
        self.port, behind = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.front = Front(self.port, behind)
        variables = environment(
            AUTH="true",
            AWS_ENDPOINT_URL=self.url,
            GATEWAY_PORT=str(self.port),
            IOT_MTLS_ENABLED="0",
            SERVICES=",".join(SERVICES),
        )
        command = [
            venv_program("emulator", "python"),
            "-m",
            "hypercorn",
            "ministack.app:app",
            "--bind",
            f"127.0.0.1:{behind}",
        ]
        self.process = Process("ministack", command, port=behind, env=variables)
        self.notion = None
        self.notion_port = free_port()

    def stop(self):
        self.stop_notion()
        self.process.stop()
        self.front.stop()

    def environment(self, **more):
        """The environment of a deployer's shell."""
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return environment(AWS_ENDPOINT_URL=self.url, **credentials, **more)

    def client(self, service, access_key="test", secret="test", session_token=None):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=session_token,
        )

    def invoke(self, function, event, *signed_by):
        """A function's answer to a direct invocation."""
        answer = self.client("lambda", *signed_by).invoke(FunctionName=function, Payload=json.dumps(event))
        said = json.loads(answer["Payload"].read())
        check("FunctionError" not in answer, f"{function}: {said}")
        return said

    def start_notion(self, redirect_uri, secret=CLIENT_SECRET):
        """Restarts the simulated Notion with one registered redirect URI and one secret."""
        self.stop_notion()
        command = [
            program("simulated-notion"),
            "--port",
            self.notion_port,
            "--client-id",
            CLIENT_ID,
            "--redirect-uri",
            redirect_uri,
        ]
        variables = environment(NOTION_CLIENT_SECRET=secret)
        self.notion = Process("simulated-notion", command, port=self.notion_port, env=variables)

    def sam(self, *arguments, expect=0, **parameters):
        parameters = {
            "NotionClientId": CLIENT_ID,
            "NotionBaseUrl": f"http://127.0.0.1:{self.notion_port}",
            **NO_ARCHIVE,
            **parameters,
        }
        # In quotes, without which SAM accepts no empty value. A parameter that is left out keeps its deployed value.
        overrides = ["--parameter-overrides", *(f'{name}="{value}"' for name, value in parameters.items())]
        command = ["sam", *arguments]
        if arguments[0] == "deploy":
            command += ["--no-confirm-changeset", "--no-progressbar", *overrides]
        return run(command, expect=expect, env=self.environment())

    def operator(self, *arguments, stack=STACK, expect=0, stdin=None, **variables):
        command = [program("operator"), "--stack", stack, *arguments]
        return run(command, expect=expect, env=self.environment() | variables, stdin=stdin)

    def stop_notion(self):
        if self.notion:
            self.notion.stop()

    def readme(self, block, stdin="", expect=0):
        """Runs the README's lines as a deployer would, for the simulated connection. `stdin` answers prompts."""
        lines = readme(block).replace(
            "NotionClientId=YOUR_CLIENT_ID",
            f"NotionClientId={CLIENT_ID} NotionBaseUrl=http://127.0.0.1:{self.notion_port} "
            + " ".join(f"{name}={value}" for name, value in NO_ARCHIVE.items()),
        )
        return self.shell(lines, stdin=stdin, expect=expect)

    def shell(self, lines, stdin="", expect=0):
        return run(["bash", "-euo", "pipefail", "-c", lines], expect=expect, env=self.environment(), stdin=stdin)

    def stack(self, name=STACK):
        """The stack's outputs, and the physical id of each of its resources."""
        cloudformation = self.client("cloudformation")
        described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
        return outputs, resources
