"""Let your users connect Notion, and call Notion with live access tokens: the client of a notion-install stack.

:func:`begin` makes the link of the button "Connect Notion". When the person comes back, :class:`NotionInstall` (or
:class:`AsyncNotionInstall`) claims the installation, lists what a user has, disconnects, and has tokens.
``notion_install.httpx.NotionAuth`` gives them to any httpx client, such as notion-client's. :func:`verify_webhook`
reads the stack's webhooks.
"""

from ._async_client import AsyncNotionInstall
from ._begin import Begun, begin
from ._client import NotionInstall
from ._core import Invocation, Reply
from ._errors import (
    Ambiguous,
    DifferentAccount,
    FunctionFailed,
    InvalidGrant,
    InvalidRequest,
    InvalidSecret,
    InvalidWebhook,
    Misconfigured,
    NeedsReinstall,
    NotConnected,
    NotInstalled,
    NotionInstallError,
    NotReached,
    OtherGeneration,
    RefusedButAlive,
    Removed,
    TooManySubjects,
    TryLater,
    Unauthorized,
    Unclaimed,
    Unreadable,
)
from ._facts import Disconnected, Installation, Onboarding, Page, Resource, Token
from ._person import THE_WORKSPACE, Person
from ._secret import Secret
from ._transport import (
    AsyncFunctions,
    AsyncLambdaClient,
    AsyncSend,
    AsyncSignedRoutes,
    AsyncTransport,
    FunctionNames,
    Functions,
    LambdaClient,
    Send,
    SignedRoutes,
    Transport,
)
from ._webhooks import (
    Event,
    ForgottenEvent,
    InstallationEvent,
    InstallEvent,
    OnboardingEvent,
    UnknownEvent,
    verify_webhook,
)

__all__ = [
    "THE_WORKSPACE",
    "Ambiguous",
    "AsyncFunctions",
    "AsyncLambdaClient",
    "AsyncNotionInstall",
    "AsyncSend",
    "AsyncSignedRoutes",
    "AsyncTransport",
    "Begun",
    "DifferentAccount",
    "Disconnected",
    "Event",
    "ForgottenEvent",
    "FunctionFailed",
    "FunctionNames",
    "Functions",
    "InstallEvent",
    "Installation",
    "InstallationEvent",
    "InvalidGrant",
    "InvalidRequest",
    "InvalidSecret",
    "InvalidWebhook",
    "Invocation",
    "LambdaClient",
    "Misconfigured",
    "NeedsReinstall",
    "NotConnected",
    "NotInstalled",
    "NotReached",
    "NotionInstall",
    "NotionInstallError",
    "Onboarding",
    "OnboardingEvent",
    "OtherGeneration",
    "Page",
    "Person",
    "RefusedButAlive",
    "Removed",
    "Reply",
    "Resource",
    "Secret",
    "Send",
    "SignedRoutes",
    "Token",
    "TooManySubjects",
    "Transport",
    "TryLater",
    "Unauthorized",
    "Unclaimed",
    "UnknownEvent",
    "Unreadable",
    "begin",
    "verify_webhook",
]
