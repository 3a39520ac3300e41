export { begin, type BeginOptions, Begun, type BegunInSession, type Query } from "./begin.js";
export {
  type Claim,
  type Disconnected,
  type DisconnectOptions,
  type Functions,
  type ListOptions,
  NotionInstall,
  type NotionInstallOptions,
  type Page,
} from "./client.js";
export * from "./errors.js";
export type {
  Event,
  ForgottenData,
  ForgottenEvent,
  Health,
  InstallationData,
  InstallationEvent,
  InstallData,
  InstallEvent,
  InstallFailure,
  KnownEvent,
  NotionInstallEvent,
  OnboardingData,
  OnboardingEvent,
  OnboardingFailedData,
  UnknownEvent,
} from "./events.js";
export type { Fetch, FetchOptions } from "./fetch.js";
export type { Installation, Onboarding, OnboardingFailure, OrAnother, Resource } from "./installation.js";
export type { Answer, CallOptions, Invoke, Json, Payload } from "./invoke.js";
export { awsLambda, type InvokeCommandLike, type LambdaClientLike } from "./lambda.js";
export type { ByNotionIds, BySubject, Filter, Person } from "./person.js";
export { ROUTES, signedRoutes, type SignedRoutesOptions } from "./routes.js";
export type { Token } from "./token.js";
export { verifyWebhook, type WebhookHeaders, type WebhookRequest } from "./webhook.js";
