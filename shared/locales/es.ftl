### Español, de «tú», como la interfaz de Notion. $app no tiene género: la frase no concuerda con el nombre.

## Las palabras de los botones y de la barra lateral de Notion

-notion-cancel = Cancelar
-notion-private = Privado

## Con conexión

connected-title = Se ha conectado { $app } con Notion
saved-text = Tu autorización se ha guardado. Puedes cerrar esta página.
preparing-text = Tu autorización se ha guardado. Estamos preparando tu espacio de trabajo: tardará unos segundos.
still-preparing-text = Tu autorización se ha guardado. Seguimos preparando tu espacio de trabajo: las páginas nuevas aparecerán en la sección «{ -notion-private }» de tu barra lateral de Notion. Puedes cerrar esta página.
prepared-text = Tu autorización se ha guardado y tu espacio de trabajo está listo. Puedes cerrar esta página.
not-prepared-text = Tu autorización se ha guardado, pero no se ha podido preparar tu espacio de trabajo. La conexión funciona de todos modos.

fact-workspace = Espacio de trabajo
fact-person = Persona
fact-template = Plantilla
template-added = Añadida a tu espacio de trabajo
template-not-added = No añadida

## Sin conexión, o todavía no

refused-title = No se ha conectado { $app }
refused-text = Has hecho clic en «{ -notion-cancel }» en Notion, así que no se ha conectado ni guardado nada. Puedes establecer la conexión cuando quieras.
in-progress-title = Un momento, por favor
in-progress-text = Estamos terminando la conexión. Esta página se recarga sola. Déjala abierta unos segundos, por favor.
outcome-unknown-title = Notion no ha respondido a tiempo
outcome-unknown-text = No sabemos si Notion ha procesado tu autorización. Vuelve a establecer la conexión, por favor: no pasa nada por autorizar dos veces.
expired-title = Se ha agotado el tiempo
expired-text = La autorización debe completarse en un plazo de unos minutos. Empieza de nuevo, por favor.
malformed-title = Este enlace está incompleto
malformed-text = En la dirección falta algo o hay algo repetido. Empieza de nuevo, por favor, en lugar de volver a abrir un enlace antiguo.
state-rejected-title = Este enlace está asociado a otro navegador
state-rejected-text = Tienes que terminar en el mismo navegador en el que empezaste y con las cookies permitidas. Empieza de nuevo aquí, por favor.
code-rejected-title = Notion no ha aceptado esta autorización
code-rejected-text = Puede que sea demasiado antigua o que ya se haya usado. Empieza de nuevo, por favor.
not-allowed-title = No se puede conectar este espacio de trabajo
not-allowed-text = { $app } solo está disponible para determinados espacios de trabajo. El que has elegido no es uno de ellos, así que no se ha conectado nada. Si querías elegir otro, inténtalo de nuevo.
unavailable-title = No disponible en este momento
unavailable-text = No se ha conectado nada. Inténtalo de nuevo dentro de un minuto, por favor.
rescued-title = Ya casi está
rescued-text = Tu autorización está a salvo, pero el proceso está tardando más de lo habitual. Si mañana { $app } sigue sin funcionar, vuelve a establecer la conexión, por favor.
not-saved-title = No se ha podido guardar tu autorización
not-saved-text = No hemos podido acceder a nuestro almacenamiento, así que tu autorización no se ha guardado. Inténtalo de nuevo dentro de unos minutos, por favor.
removed-meanwhile-title = Se ha eliminado la conexión
removed-meanwhile-text = La conexión se ha eliminado mientras la establecías. Si todavía la quieres, vuelve a establecerla, por favor.
misconfigured-title = La configuración de { $app } no es correcta
misconfigured-text = No es culpa tuya y no servirá de nada volver a intentarlo: solo los responsables de { $app } pueden arreglarlo.
status-unavailable-title = No podemos comprobarlo en este momento
status-unavailable-text = Ahora mismo no podemos ver si la conexión está establecida. Vuelve a cargar esta página dentro de un minuto, por favor.
not-a-visit-title = Abre este enlace en una pestaña aparte
not-a-visit-text = Se ha cargado en segundo plano o dentro de otra página, así que no se ha iniciado nada.
method-not-allowed-title = Método no permitido
method-not-allowed-text = Esta dirección solo acepta GET. No se ha iniciado nada.
internal-title = Algo ha fallado por nuestra parte
internal-text = Lo sentimos. Inténtalo de nuevo dentro de un minuto, por favor.
bad-request-title = { $app } te ha enviado aquí con una solicitud incorrecta
bad-request-text = No se ha iniciado nada y aquí no puedes hacer nada: solo los responsables de { $app } pueden corregir el error.
fact-developer = Para el equipo técnico

## A quién acudir

ask-support = ¿Necesitas ayuda? El equipo de soporte de { $app } está a tu disposición.
ask-operator = ¿Necesitas ayuda? Ponte en contacto con los responsables de { $app }.

## Botones

try-again = Intentar de nuevo
connect = Conectar
start = Empezar
open-in-notion = Abrir en Notion
continue-to-app = Continuar en { $app }
contact-support = Contactar con soporte

## Enlaces al pie de cada página

support = Soporte
privacy = Política de privacidad
terms = Términos de uso
