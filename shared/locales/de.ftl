### Deutsch, mit „Sie“. $app steht immer im Nominativ oder nach einer Präposition, die den Namen nicht beugt.

## Wörter auf Knöpfen und in der Seitenleiste von Notion

-notion-cancel = Abbrechen
-notion-private = Privat

## Verbunden

connected-title = { $app } ist mit Notion verbunden
saved-text = Ihre Zustimmung ist gespeichert. Sie können diese Seite schließen.
preparing-text = Ihre Zustimmung ist gespeichert. Ihr Workspace wird gerade eingerichtet. Das dauert einige Sekunden.
still-preparing-text = Ihre Zustimmung ist gespeichert. Ihr Workspace wird noch eingerichtet: Was dabei entsteht, erscheint in Ihrer Notion-Seitenleiste im Bereich „{ -notion-private }“. Sie können diese Seite schließen.
prepared-text = Ihre Zustimmung ist gespeichert und Ihr Workspace ist eingerichtet. Sie können diese Seite schließen.
not-prepared-text = Ihre Zustimmung ist gespeichert, aber Ihr Workspace konnte nicht eingerichtet werden. Die Verbindung funktioniert trotzdem.

fact-workspace = Workspace
fact-person = Person
fact-template = Vorlage
template-added = Zu Ihrem Workspace hinzugefügt
template-not-added = Nicht hinzugefügt

## Nicht oder noch nicht verbunden

refused-title = { $app } wurde nicht verbunden
refused-text = Sie haben bei Notion auf „{ -notion-cancel }“ geklickt. Es wurde nichts verbunden und nichts gespeichert. Sie können die Verbindung jederzeit herstellen.
in-progress-title = Einen Moment bitte
in-progress-text = Ihre Verbindung wird gerade fertiggestellt. Diese Seite wird automatisch neu geladen. Bitte lassen Sie sie noch ein paar Sekunden geöffnet.
outcome-unknown-title = Notion hat nicht rechtzeitig geantwortet
outcome-unknown-text = Wir wissen nicht, ob Notion Ihre Zustimmung verarbeitet hat. Bitte stellen Sie die Verbindung noch einmal her. Es schadet nicht, zweimal zuzustimmen.
expired-title = Das hat zu lange gedauert
expired-text = Die Zustimmung muss innerhalb weniger Minuten erteilt werden. Bitte beginnen Sie noch einmal von vorn.
malformed-title = Dieser Link ist unvollständig
malformed-text = In der Adresse fehlt etwas, oder etwas kommt doppelt vor. Bitte beginnen Sie von vorn, statt einen alten Link noch einmal zu öffnen.
state-rejected-title = Dieser Link gehört zu einem anderen Browser
state-rejected-text = Sie müssen den Vorgang in dem Browser abschließen, in dem Sie ihn begonnen haben, und Cookies müssen dort erlaubt sein. Bitte beginnen Sie hier noch einmal von vorn.
code-rejected-title = Notion hat diese Zustimmung nicht angenommen
code-rejected-text = Vielleicht ist sie zu alt oder wurde schon verwendet. Bitte beginnen Sie noch einmal von vorn.
not-allowed-title = Dieser Workspace kann nicht verbunden werden
not-allowed-text = { $app } steht nur bestimmten Workspaces zur Verfügung. Der ausgewählte gehört nicht dazu, deshalb wurde nichts verbunden. Wenn Sie einen anderen Workspace meinten, versuchen Sie es bitte noch einmal.
unavailable-title = Zurzeit nicht verfügbar
unavailable-text = Es wurde nichts verbunden. Bitte versuchen Sie es in einer Minute noch einmal.
rescued-title = Fast geschafft
rescued-text = Ihre Zustimmung geht nicht verloren, aber der Abschluss dauert länger als sonst. Falls { $app } bis morgen nicht funktioniert, stellen Sie die Verbindung bitte noch einmal her.
not-saved-title = Ihre Zustimmung konnte nicht gespeichert werden
not-saved-text = Unser Speicher war nicht erreichbar, deshalb wurde Ihre Zustimmung nicht gespeichert. Bitte versuchen Sie es in ein paar Minuten noch einmal.
removed-meanwhile-title = Die Verbindung wurde entfernt
removed-meanwhile-text = Die Verbindung wurde entfernt, noch während sie hergestellt wurde. Wenn Sie weiterhin verbunden sein möchten, stellen Sie die Verbindung bitte noch einmal her.
misconfigured-title = { $app } ist nicht richtig eingerichtet
misconfigured-text = Das liegt nicht an Ihnen, und ein neuer Versuch hilft nicht: Nur das Team von { $app } kann das beheben.
status-unavailable-title = Das können wir gerade nicht prüfen
status-unavailable-text = Im Moment können wir nicht feststellen, ob die Verbindung besteht. Bitte laden Sie diese Seite in einer Minute neu.
not-a-visit-title = Bitte öffnen Sie diesen Link in einem eigenen Tab
not-a-visit-text = Er wurde im Hintergrund oder innerhalb einer anderen Seite geladen, deshalb wurde nichts gestartet.
method-not-allowed-title = Methode nicht erlaubt
method-not-allowed-text = Diese Adresse akzeptiert nur GET. Es wurde nichts gestartet.
internal-title = Bei uns ist etwas schiefgegangen
internal-text = Das tut uns leid. Bitte versuchen Sie es in einer Minute noch einmal.
bad-request-title = { $app } hat Sie mit einer fehlerhaften Anfrage hierher geschickt
bad-request-text = Es wurde nichts gestartet, und Sie können hier nichts tun: Nur das Team von { $app } kann den Fehler beheben.
fact-developer = Für die Entwicklung

## An wen man sich wenden kann

ask-support = Brauchen Sie Hilfe? Der Support von { $app } ist für Sie da.
ask-operator = Brauchen Sie Hilfe? Bitte wenden Sie sich an das Team von { $app }.

## Knöpfe

try-again = Erneut versuchen
connect = Verbinden
start = Starten
open-in-notion = In Notion öffnen
continue-to-app = Weiter zu { $app }
contact-support = Support kontaktieren

## Links am Fuß jeder Seite

support = Support
privacy = Datenschutzerklärung
terms = Nutzungsbedingungen
