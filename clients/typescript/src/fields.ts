import { Unreadable } from "./errors.js";

/** A JSON object whose fields are not known yet. */
export type Fields = { readonly [name: string]: unknown };

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Types {
  string: string;
  number: number;
  boolean: boolean;
}

/** @throws {@link Unreadable} if it is of another type. */
export function required<T extends keyof Types>(value: unknown, type: T): Types[T] {
  if (typeof value !== type) throw new Unreadable();
  return value as Types[T];
}

/** Null if it is of another type. */
export function optional<T extends keyof Types>(value: unknown, type: T): Types[T] | null {
  return typeof value === type ? (value as Types[T]) : null;
}
