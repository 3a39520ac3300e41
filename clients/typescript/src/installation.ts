/** A value of today, or one of a later release. */
export type OrAnother<T extends string> = T | (string & {});

/**
 * Everything that Notion said about an installation, except its tokens. What it did not say is null. The names are those
 * of the answers (docs/backend.md), as `@notionhq/client` has Notion's.
 */
export interface Installation {
  /** Opaque, and always the same: {@link BeginOptions.expect} takes it. */
  readonly installation: string;
  /** Notion's id of the workspace. */
  readonly workspace_id: string;
  readonly workspace_name: string | null;
  /** An emoji or a URL. */
  readonly workspace_icon: string | null;
  /** Notion's id of the person; null if the workspace owns the installation. */
  readonly user_id: string | null;
  readonly user_name: string | null;
  readonly user_email: string | null;
  /** Whether Notion has verified the address. */
  readonly user_email_verified: boolean | null;
  readonly user_avatar_url: string | null;
  /** Notion's id of the authorization. */
  readonly bot_id: string | null;
  /** The page that was made from the template, if the person wanted it. */
  readonly duplicated_template_id: string | null;
  /** How often it has been installed. */
  readonly generation: number;
  /** `unverified`: Notion is asked before the next token. */
  readonly health: OrAnother<"active" | "unverified" | "needs_reinstall" | "unclaimed">;
  /** The last install, in seconds since the epoch. */
  readonly installed_at: number | null;
  /** The subjects that it is linked to: your other users too, so keep the list from the browser. */
  readonly subjects: readonly string[];
  /** Counts writes: with `generation`, the place among the installation's events. A claim has none. */
  readonly version: number | null;
  /** How far the workspace is prepared, if the stack has a recipe. */
  readonly onboarding: Onboarding | null;
}

/** How far a workspace is prepared. */
export interface Onboarding {
  readonly status: OrAnother<"pending" | "running" | "completed" | "failed">;
  readonly recipe: string | null;
  /** Changes with anything in the recipe. */
  readonly recipe_version: string | null;
  /** The page to send people to, once it is made. */
  readonly landing_url: string | null;
  readonly resources: readonly Resource[];
  /** The step at which it stopped, if it has failed. */
  readonly step: string | null;
  readonly reason: OnboardingFailure | null;
  /** What the connection may not do, if that is the reason. */
  readonly capability: OrAnother<"insert content" | "read content"> | null;
}

export type OnboardingFailure = OrAnother<
  "needs_reinstall" | "missing_capability" | "invalid_recipe" | "notion_failed" | "gave_up"
>;

/** Something that was made in a prepared workspace, or was to be. */
export interface Resource {
  /** Its name in the recipe. */
  readonly resource_id: string;
  /** What it is at Notion. A row is a page. */
  readonly type: OrAnother<"page" | "database" | "view">;
  readonly state: OrAnother<"pending" | "made" | "gone" | "left_out">;
  /** Notion's id. */
  readonly id: string | null;
  /** Its address, without its title. */
  readonly url: string | null;
  /** Why it is left out. */
  readonly why: string | null;
}
