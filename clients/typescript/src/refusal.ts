import {
  Ambiguous,
  DifferentAccount,
  FunctionFailed,
  InvalidGrant,
  InvalidRequest,
  Misconfigured,
  NeedsReinstall,
  NotInstalled,
  type NotionInstallError,
  OtherGeneration,
  RefusedButAlive,
  Removed,
  TooManySubjects,
  TryLater,
  Unclaimed,
  Unreadable,
} from "./errors.js";
import { readInstallation, readInstallations } from "./facts.js";
import { type Fields, isFields, required } from "./fields.js";

/** The error in an answer, if there is one. One that is not known is {@link Unreadable}. */
export function refusal(answer: Fields, requestId: string | undefined): NotionInstallError | undefined {
  if (!("error" in answer)) return undefined;
  try {
    return read(answer, requestId);
  } catch (error) {
    if (error instanceof Unreadable) return error;
    throw error;
  }
}

function read(answer: Fields, requestId: string | undefined): NotionInstallError {
  const { error } = answer;
  const text = (field: string): string => required(answer[field], "string");
  switch (error) {
    case "not_installed":
      return new NotInstalled(typeof answer["install_url"] === "string" ? answer["install_url"] : undefined);
    case "needs_reinstall":
      return new NeedsReinstall(text("install_url"));
    case "removed":
      return new Removed(text("install_url"));
    case "unclaimed":
      return new Unclaimed();
    case "ambiguous":
      return new Ambiguous(readInstallations(answer["installations"]));
    case "refused_but_alive":
      return new RefusedButAlive(text("message"));
    case "try_later":
      return new TryLater(required(answer["retry_after_secs"], "number"), text("reason"));
    case "invalid_grant":
      return new InvalidGrant();
    case "different_account": {
      // The expected one has its facts only if it is linked to this subject.
      const { expected, actual } = answer;
      const hasFacts = isFields(expected) && "workspace_id" in expected;
      return new DifferentAccount(hasFacts ? readInstallation(expected) : undefined, readInstallation(actual));
    }
    case "too_many_subjects":
      return new TooManySubjects();
    case "other_generation":
      return new OtherGeneration(required(answer["generation"], "number"));
    case "invalid_request":
    case "malformed":
      return new InvalidRequest(text("message"));
    case "misconfigured":
      return new Misconfigured();
    case "internal":
      return new FunctionFailed(requestId);
    default:
      return new Unreadable();
  }
}
