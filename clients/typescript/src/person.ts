/**
 * Whose installation: by this backend's own name for a user (the `subject` of the claim), or by Notion's ids. A UUID is
 * the same id with or without dashes, in upper or lower case. The names are those of the answers, so that an
 * {@link Installation} is a person, too.
 */
export type Person = BySubject | ByNotionIds;

/** A user of this backend. Name the workspace if they have several installations, and the user if two are in one. */
export interface BySubject {
  readonly subject: string;
  readonly workspace_id?: string | undefined;
  /** Notion's id of the person; null: as the workspace itself. */
  readonly user_id?: string | null | undefined;
}

/** A person in a workspace, for everybody who is linked to them. */
export interface ByNotionIds {
  readonly subject?: undefined;
  readonly workspace_id: string;
  /** Notion's id of the person; null: the workspace owns its installation. */
  readonly user_id: string | null;
}

/** Whose installations to list: a person's, or all in a workspace. */
export type Filter = Person | { readonly subject?: undefined; readonly workspace_id: string; readonly user_id?: undefined };

/** The fields of an input that name somebody. */
export type Named = { readonly subject?: string; readonly workspace_id?: string; readonly user_id?: string | null };

/** Only what was given: a user_id that is null names the workspace, one that is left out names nobody. */
export function named({ subject, workspace_id, user_id }: Filter): Named {
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(workspace_id === undefined ? {} : { workspace_id: canonical(workspace_id) }),
    ...(user_id === undefined ? {} : { user_id: user_id === null ? null : canonical(user_id) }),
  };
}

/** The same for the same person, and for nobody else. */
export function keyOf({ subject, workspace_id, user_id }: Named): string {
  // In JSON, what is undefined would be null.
  return JSON.stringify([subject ?? null, workspace_id ?? null, user_id === undefined ? false : user_id]);
}

/** Whether who forgets `whom` forgets this one: a subject alone is the subject in any workspace. */
export function includes(whom: Named, other: Named): boolean {
  if (whom.workspace_id === undefined && whom.user_id === undefined) return other.subject === whom.subject;
  return keyOf(other) === keyOf(whom);
}

/** An id as the functions write it if it is a UUID, otherwise unchanged. */
function canonical(id: string): string {
  const digits = id.replaceAll("-", "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) return id;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
