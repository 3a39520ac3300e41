import { Unreadable } from "./errors.js";
import { type Fields, isFields, optional, required } from "./fields.js";
import type { Installation, Onboarding, Resource } from "./installation.js";

/** @throws {@link Unreadable} if something is missing that every answer has. */
export function readInstallation(facts: unknown): Installation {
  if (!isFields(facts)) throw new Unreadable();
  const text = (field: string): string | null => optional(facts[field], "string");
  const { subjects } = facts;
  if (!Array.isArray(subjects) || !subjects.every(isText)) throw new Unreadable();
  return {
    installation: required(facts["installation"], "string"),
    workspace_id: required(facts["workspace_id"], "string"),
    workspace_name: text("workspace_name"),
    workspace_icon: text("workspace_icon"),
    user_id: text("user_id"),
    user_name: text("user_name"),
    user_email: text("user_email"),
    user_email_verified: optional(facts["user_email_verified"], "boolean"),
    user_avatar_url: text("user_avatar_url"),
    bot_id: text("bot_id"),
    duplicated_template_id: text("duplicated_template_id"),
    generation: required(facts["generation"], "number"),
    health: required(facts["health"], "string"),
    installed_at: optional(facts["installed_at"], "number"),
    subjects,
    version: optional(facts["version"], "number"),
    onboarding: isFields(facts["onboarding"]) ? readOnboarding(facts["onboarding"]) : null,
  };
}

/** @throws {@link Unreadable} */
export function readInstallations(list: unknown): Installation[] {
  if (!Array.isArray(list)) throw new Unreadable();
  return list.map(readInstallation);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function readOnboarding(facts: Fields): Onboarding {
  const text = (field: string): string | null => optional(facts[field], "string");
  const { resources } = facts;
  return {
    status: required(facts["status"], "string"),
    recipe: text("recipe"),
    recipe_version: text("recipe_version"),
    landing_url: text("landing_url"),
    resources: Array.isArray(resources) ? (resources as Resource[]) : [],
    step: text("step"),
    reason: text("reason"),
    capability: text("capability"),
  };
}
