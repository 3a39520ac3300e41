### Français, avec « vous ». $app n’a pas de genre : pas d’accord avec le nom. Espace insécable avant « : », espace fine
### insécable avant « ; », « ! » et « ? ».

## Les mots des boutons et de la barre latérale de Notion

-notion-cancel = Annuler
-notion-private = Privé

## Connexion établie

connected-title = La connexion entre { $app } et Notion est établie
saved-text = Votre autorisation est enregistrée. Vous pouvez fermer cette page.
preparing-text = Votre autorisation est enregistrée. La préparation de votre espace de travail est en cours : elle prend quelques secondes.
still-preparing-text = Votre autorisation est enregistrée. La préparation de votre espace de travail se poursuit : les nouvelles pages apparaîtront dans la section « { -notion-private } » de votre barre latérale Notion. Vous pouvez fermer cette page.
prepared-text = Votre autorisation est enregistrée et votre espace de travail est prêt. Vous pouvez fermer cette page.
not-prepared-text = Votre autorisation est enregistrée, mais votre espace de travail n’a pas pu être préparé. La connexion fonctionne malgré tout.

fact-workspace = Espace de travail
fact-person = Compte Notion
fact-template = Modèle
template-added = Ajouté à votre espace de travail
template-not-added = Non ajouté

## Connexion non établie, ou pas encore

refused-title = La connexion avec { $app } n’a pas été établie
refused-text = Vous avez cliqué sur « { -notion-cancel } » dans Notion : rien n’a été connecté ni enregistré. Vous pouvez établir la connexion à tout moment.
in-progress-title = Un instant, s’il vous plaît
in-progress-text = Nous finalisons votre connexion. Cette page s’actualise automatiquement. Veuillez la laisser ouverte quelques secondes.
outcome-unknown-title = Notion n’a pas répondu à temps
outcome-unknown-text = Nous ne savons pas si Notion a traité votre autorisation. Veuillez recommencer la connexion ; donner deux fois votre autorisation est sans conséquence.
expired-title = Le délai est dépassé
expired-text = L’autorisation doit être donnée dans un délai de quelques minutes. Veuillez recommencer.
malformed-title = Ce lien est incomplet
malformed-text = Un élément de l’adresse est manquant ou y figure deux fois. Veuillez recommencer au lieu de rouvrir un ancien lien.
state-rejected-title = Ce lien est associé à un autre navigateur
state-rejected-text = Vous devez terminer dans le navigateur où vous avez commencé, et les cookies doivent y être autorisés. Veuillez recommencer ici.
code-rejected-title = Notion n’a pas accepté cette autorisation
code-rejected-text = Elle est peut-être trop ancienne ou a déjà été utilisée. Veuillez recommencer.
not-allowed-title = Cet espace de travail ne peut pas être connecté
not-allowed-text = L’accès à { $app } est réservé à certains espaces de travail. Celui que vous avez choisi n’en fait pas partie : rien n’a été connecté. Si vous pensiez à un autre espace de travail, veuillez réessayer.
unavailable-title = Service momentanément indisponible
unavailable-text = Rien n’a été connecté. Veuillez réessayer dans une minute.
rescued-title = C’est presque terminé
rescued-text = Votre autorisation est conservée, mais la finalisation prend plus de temps que d’habitude. Si { $app } ne fonctionne toujours pas demain, veuillez recommencer la connexion.
not-saved-title = Votre autorisation n’a pas pu être enregistrée
not-saved-text = Notre espace de stockage était inaccessible : votre autorisation n’a pas été enregistrée. Veuillez réessayer dans quelques minutes.
removed-meanwhile-title = La connexion a été supprimée
removed-meanwhile-text = La connexion a été supprimée pendant que vous l’établissiez. Si vous la souhaitez toujours, veuillez la rétablir.
misconfigured-title = L’application { $app } n’est pas configurée correctement
misconfigured-text = Vous n’y êtes pour rien, et il est inutile de réessayer : seule l’équipe { $app } peut corriger le problème.
status-unavailable-title = Vérification momentanément impossible
status-unavailable-text = Nous ne pouvons pas vérifier pour le moment si votre connexion est établie. Veuillez actualiser cette page dans une minute.
not-a-visit-title = Ouvrez ce lien dans un onglet à part
not-a-visit-text = Il a été chargé en arrière-plan ou dans une autre page : rien n’a été lancé.
method-not-allowed-title = Méthode non autorisée
method-not-allowed-text = Cette adresse n’accepte que GET. Rien n’a été lancé.
internal-title = Une erreur s’est produite de notre côté
internal-text = Veuillez nous en excuser et réessayer dans une minute.
bad-request-title = La demande transmise par { $app } est incorrecte
bad-request-text = Rien n’a été lancé, et vous ne pouvez rien faire ici : seule l’équipe { $app } peut corriger le problème.
fact-developer = Pour l’équipe technique

## À qui s’adresser

ask-support = Besoin d’aide ? L’équipe d’assistance { $app } est là pour vous.
ask-operator = Besoin d’aide ? Veuillez contacter l’équipe { $app }.

## Boutons

try-again = Réessayer
connect = Connecter
start = Commencer
open-in-notion = Ouvrir dans Notion
continue-to-app = Continuer vers { $app }
contact-support = Contacter l’assistance

## Liens au bas de chaque page

support = Assistance
privacy = Politique de confidentialité
terms = Conditions d’utilisation
