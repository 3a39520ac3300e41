### What the pages say. This file is the reference: the other languages have the same messages with the same variables.
###
### One line per message, plain text: no markup. $app is the app's name, as its deployer writes it ("Acme Planner"), so
### build the sentence around it: it has no gender, and nothing can be added to it. Use the words of Notion's own
### interface in the language. A build fails if something is missing or not used.

## Words on buttons and in the sidebar of Notion

-notion-cancel = Cancel
-notion-private = Private

## Connected

connected-title = { $app } is connected to Notion
saved-text = Your approval is saved. You can close this page.
# While the workspace is being prepared: the page reloads by itself.
preparing-text = Your approval is saved. Your workspace is being prepared: this takes a few seconds.
still-preparing-text = Your approval is saved. Your workspace is still being prepared: new pages will appear in the { -notion-private } section of your Notion sidebar. You can close this page.
prepared-text = Your approval is saved, and your workspace is prepared. You can close this page.
not-prepared-text = Your approval is saved, but your workspace could not be prepared. The connection still works.

fact-workspace = Workspace
fact-person = Person
fact-template = Template
# The template, that is.
template-added = Added to your workspace
template-not-added = Not added

## Not connected, or not yet

# The person pressed Cancel at Notion.
refused-title = { $app } was not connected
refused-text = You pressed { -notion-cancel } at Notion, so nothing was connected and nothing was stored. You can connect at any time.
in-progress-title = Just a moment
in-progress-text = We are finishing your connection. This page reloads by itself. Please leave it open for a few seconds.
outcome-unknown-title = Notion did not answer in time
outcome-unknown-text = We do not know whether Notion completed your approval. Please connect again; approving twice does no harm.
expired-title = This took too long
expired-text = The approval must be completed within a few minutes. Please start again.
malformed-title = This link is not complete
malformed-text = Something in the address is missing or appears twice. Please start again instead of reopening an old link.
state-rejected-title = This link belongs to another browser
state-rejected-text = You have to finish in the browser in which you started, with cookies allowed. Please start again here.
code-rejected-title = Notion did not accept this approval
code-rejected-text = It may be too old or already used. Please start again.
not-allowed-title = This workspace cannot be connected
not-allowed-text = { $app } is only available to certain workspaces. The one you chose is not among them, so nothing was connected. If you meant another workspace, try again.
unavailable-title = Not available just now
unavailable-text = Nothing was connected. Please try again in a minute.
# The approval is kept, and the rest is finished later without the person.
rescued-title = Almost there
rescued-text = Your approval is safe, but finishing is taking longer than usual. If { $app } does not work for you by tomorrow, please connect again.
not-saved-title = Your approval could not be saved
not-saved-text = Our storage could not be reached, so your approval was not saved. Please try again in a few minutes.
removed-meanwhile-title = The connection was removed
removed-meanwhile-text = The connection was removed while you were connecting. If you still want it, connect again.
misconfigured-title = { $app } is not set up correctly
misconfigured-text = This is not your fault, and trying again will not help: only the people who run { $app } can fix it.
status-unavailable-title = We cannot look this up just now
status-unavailable-text = At the moment we cannot see whether you are connected. Reload this page in a minute.
# The page was opened in the background or in a frame.
not-a-visit-title = Open this link in a tab of its own
not-a-visit-text = It was loaded in the background or inside another page, so nothing was started.
method-not-allowed-title = Method not allowed
method-not-allowed-text = This address only accepts GET. Nothing was started.
internal-title = Something went wrong on our side
internal-text = We are sorry. Please try again in a minute.
# The app sent the person here with a wrong link.
bad-request-title = { $app } sent you here with an invalid request
bad-request-text = Nothing was started, and there is nothing that you can do here: only the people who run { $app } can correct it.
# Before a technical text in English.
fact-developer = For the developer

## Whom to ask, where trying again does not help

# With the button contact-support below it.
ask-support = Need help? The { $app } support team is there for you.
ask-operator = Need help? Please contact the people who run { $app }.

## Buttons

try-again = Try again
connect = Connect
start = Start
open-in-notion = Open it in Notion
continue-to-app = Continue to { $app }
contact-support = Contact support

## Links at the foot of each page

support = Support
privacy = Privacy policy
terms = Terms of use
