import { isFields } from "./fields.js";
import type { OnboardingFailure, OrAnother, Resource } from "./installation.js";

/**
 * An event of the stack. A later release may bring others: once `kind` is not `unknown`, its `type` tells them apart.
 */
export type NotionInstallEvent = KnownEvent | UnknownEvent;

/** The events of this release. Each may have fields of a later one. */
export type KnownEvent = InstallationEvent | ForgottenEvent | InstallEvent | OnboardingEvent;

export type InstallationEvent =
  | Event<"installation", "installation.installed", InstallationData<null | "removed">>
  | Event<
      "installation",
      "installation.reinstalled" | "installation.needs_reinstall" | "installation.recovered",
      InstallationData
    >
  | Event<
      "installation",
      "installation.adopted" | "installation.claimed" | "installation.unlinked",
      InstallationData & {
        /** The user whom it is about. */
        readonly subject: string;
      }
    >
  | Event<"installation", "installation.unclaimed", InstallationData<"unclaimed", "removed">>
  | Event<
      "installation",
      "installation.removed",
      InstallationData<"active" | "unverified" | "needs_reinstall", "removed">
    >;

export type ForgottenEvent = Event<"forgotten", "installation.forgotten", ForgottenData>;

export type InstallEvent =
  | Event<"install", "install.refused", InstallData<"refused">>
  | Event<"install", "install.failed", InstallData<InstallFailure>>;

export type OnboardingEvent =
  | Event<"onboarding", "onboarding.completed", OnboardingData<"completed">>
  | Event<"onboarding", "onboarding.failed", OnboardingFailedData>;

/** An event of a later release: ignore it. Its `type` is none of the others. */
export type UnknownEvent = Event<"unknown", string, { readonly [field: string]: unknown }>;

export interface Event<Kind extends string, Type extends string, Data> {
  readonly kind: Kind;
  /** The same for every delivery: by it you recognize an event that comes again. */
  readonly id: string;
  readonly type: Type;
  /** When it happened: RFC 3339, UTC, to the second. */
  readonly timestamp: string;
  /** In the words of the document (docs/events.md). */
  readonly data: Data;
}

export type Health = "active" | "unverified" | "needs_reinstall" | "unclaimed";

/** An installation just after the event. */
export interface InstallationData<Previous = Health, Present = Health> {
  /** The opaque id, as in the answers of `claim` and `installations`. */
  readonly installation: string;
  readonly workspace_id: string;
  /** Null if the workspace owns it. */
  readonly user_id: string | null;
  readonly bot_id: string | null;
  /** Counts installs: with `version`, the order of an installation's events. */
  readonly generation: number;
  /** Counts writes. */
  readonly version: number;
  readonly health: Present;
  readonly previous_health: Previous;
  /** The users of the app that it is linked to; if it was removed, those that it was linked to. */
  readonly subjects: readonly string[];
  readonly duplicated_template_id: string | null;
  /** This and the two others only with `EventsCarryPersonalData`. */
  readonly workspace_name?: string | null;
  readonly user_name?: string | null;
  readonly user_email?: string | null;
}

/** Names nobody. */
export interface ForgottenData {
  /** The SHA-256 of the installation's id, in hexadecimal digits. */
  readonly installation_hash: string;
  readonly generation: number;
  readonly version: number;
}

/** An install that ended without an installation. */
export interface InstallData<Reason> {
  /** An id of that attempt, for the log. */
  readonly flow: string;
  readonly reason: Reason;
}

export type InstallFailure = OrAnother<
  | "code_rejected"
  | "misconfigured"
  | "not_allowed"
  | "not_saved"
  | "outcome_unknown"
  | "removed_meanwhile"
  | "unavailable"
>;

/** A preparation of a workspace that has ended, for the time being. */
export interface OnboardingData<Status> {
  readonly installation: string;
  readonly workspace_id: string;
  readonly user_id: string | null;
  readonly generation: number;
  /** Counts writes of the onboarding: with `generation`, the order of its events. */
  readonly onboarding_version: number;
  readonly status: Status;
  readonly recipe: string;
  readonly recipe_version: string;
  /** The page that people are sent to. */
  readonly landing_url: string | null;
  readonly resources: readonly Resource[];
}

export interface OnboardingFailedData extends OnboardingData<"failed"> {
  /** The step at which it stopped. Null if it is about all of them. */
  readonly step: string | null;
  readonly reason: OnboardingFailure;
  /** What the connection may not do, if that is the reason. */
  readonly capability: OrAnother<"insert content" | "read content"> | null;
}

/** What is missing is null. */
interface Shape {
  readonly kind: KnownEvent["kind"];
  /** All events of this kind have it. */
  readonly has: { readonly [field: string]: (value: unknown) => boolean };
  readonly mayHave: readonly string[];
}

const isText = (value: unknown): boolean => typeof value === "string";
const isCount = Number.isInteger;

const INSTALLATION: Shape = {
  kind: "installation",
  has: {
    installation: isText,
    workspace_id: isText,
    generation: isCount,
    version: isCount,
    health: isText,
    subjects: Array.isArray,
  },
  mayHave: ["user_id", "bot_id", "previous_health", "duplicated_template_id"],
};
const OF_A_SUBJECT: Shape = { ...INSTALLATION, mayHave: [...INSTALLATION.mayHave, "subject"] };
const FORGOTTEN: Shape = {
  kind: "forgotten",
  has: { installation_hash: isText, generation: isCount, version: isCount },
  mayHave: [],
};
const INSTALL: Shape = { kind: "install", has: { flow: isText, reason: isText }, mayHave: [] };
const ONBOARDING: Shape = {
  kind: "onboarding",
  has: {
    installation: isText,
    workspace_id: isText,
    generation: isCount,
    onboarding_version: isCount,
    status: isText,
    resources: Array.isArray,
  },
  mayHave: ["user_id", "recipe", "recipe_version", "landing_url"],
};
const FAILED: Shape = { ...ONBOARDING, mayHave: [...ONBOARDING.mayHave, "step", "reason", "capability"] };

/** By type, so that the compiler says if one is missing or too many. */
const SHAPES: { readonly [Type in KnownEvent["type"]]: Shape } = {
  "installation.installed": INSTALLATION,
  "installation.reinstalled": INSTALLATION,
  "installation.adopted": OF_A_SUBJECT,
  "installation.claimed": OF_A_SUBJECT,
  "installation.unclaimed": INSTALLATION,
  "installation.unlinked": OF_A_SUBJECT,
  "installation.needs_reinstall": INSTALLATION,
  "installation.recovered": INSTALLATION,
  "installation.removed": INSTALLATION,
  "installation.forgotten": FORGOTTEN,
  "install.refused": INSTALL,
  "install.failed": INSTALL,
  "onboarding.completed": ONBOARDING,
  "onboarding.failed": FAILED,
};

/** An event from its document; undefined if it is none. One of a later release is {@link UnknownEvent}. */
export function readEvent(document: unknown): NotionInstallEvent | undefined {
  if (!isFields(document)) return undefined;
  const { id, type, timestamp, data } = document;
  if (typeof id !== "string" || typeof type !== "string" || typeof timestamp !== "string" || !isFields(data)) {
    return undefined;
  }
  const shape = Object.hasOwn(SHAPES, type) ? SHAPES[type as KnownEvent["type"]] : undefined;
  if (shape === undefined) return { kind: "unknown", id, type, timestamp, data };
  if (!Object.entries(shape.has).every(([field, isRight]) => isRight(data[field]))) return undefined;
  const missing = Object.fromEntries(shape.mayHave.map((field) => [field, null]));
  return { kind: shape.kind, id, type, timestamp, data: { ...missing, ...data } } as unknown as KnownEvent;
}
