### 日本語、です・ます調。$app はアプリ名で、前後にスペースは入れません。

## Notionのボタンとサイドバーの言葉

-notion-cancel = キャンセル
-notion-private = プライベート

## 連携できた場合

connected-title = { $app }とNotionの連携が完了しました
saved-text = 許可の内容を保存しました。このページは閉じていただいてかまいません。
preparing-text = 許可の内容を保存しました。ワークスペースを準備しています。数秒お待ちください。
still-preparing-text = 許可の内容を保存しました。ワークスペースはまだ準備中です。作成されたページは、Notionのサイドバーの「{ -notion-private }」セクションに表示されます。このページは閉じていただいてかまいません。
prepared-text = 許可の内容を保存し、ワークスペースの準備も完了しました。このページは閉じていただいてかまいません。
not-prepared-text = 許可の内容を保存しましたが、ワークスペースを準備できませんでした。連携機能はそのままご利用いただけます。

fact-workspace = ワークスペース
fact-person = ユーザー
fact-template = テンプレート
template-added = ワークスペースに追加しました
template-not-added = 追加していません

## 連携できなかった場合、またはまだの場合

refused-title = { $app }は連携されませんでした
refused-text = Notionで「{ -notion-cancel }」が選択されたため、連携も保存も行われていません。連携はいつでも行えます。
in-progress-title = 少々お待ちください
in-progress-text = 連携の処理を行っています。このページは自動的に再読み込みされます。数秒間、開いたままでお待ちください。
outcome-unknown-title = Notionから時間内に応答がありませんでした
outcome-unknown-text = Notionで許可が完了したかどうかを確認できません。お手数ですが、もう一度連携してください。二度許可しても問題はありません。
expired-title = 時間切れになりました
expired-text = 数分以内に許可を完了する必要があります。もう一度最初からお試しください。
malformed-title = このリンクは正しくありません
malformed-text = アドレスの一部が欠けているか、重複しています。以前のリンクを開き直さずに、最初からやり直してください。
state-rejected-title = このリンクは別のブラウザーのものです
state-rejected-text = 手続きは、開始したときと同じブラウザーで完了する必要があります。また、Cookieを許可してください。このブラウザーで最初からやり直してください。
code-rejected-title = この許可はNotionに受け付けられませんでした
code-rejected-text = 有効期限が切れているか、すでに使用されている可能性があります。もう一度最初からお試しください。
not-allowed-title = このワークスペースは連携できません
not-allowed-text = { $app }を利用できるのは特定のワークスペースのみです。選択したワークスペースは対象外のため、連携は行われていません。別のワークスペースを選ぶ場合は、もう一度お試しください。
unavailable-title = 現在ご利用いただけません
unavailable-text = 連携は行われていません。1分ほど待ってから、もう一度お試しください。
rescued-title = まもなく完了します
rescued-text = 許可の内容は安全に保管されていますが、完了までに通常より時間がかかっています。明日になっても{ $app }を利用できない場合は、もう一度連携してください。
not-saved-title = 許可の内容を保存できませんでした
not-saved-text = 保存先に接続できなかったため、許可の内容は保存されていません。数分待ってから、もう一度お試しください。
removed-meanwhile-title = 連携は解除されました
removed-meanwhile-text = 手続きの途中で連携が解除されました。引き続きご利用になる場合は、もう一度連携してください。
misconfigured-title = { $app }が正しく設定されていません
misconfigured-text = お客様の操作に問題はありません。もう一度試しても解決せず、{ $app }の運営者による修正が必要です。
status-unavailable-title = 現在、状態を確認できません
status-unavailable-text = 連携が完了しているかどうかを確認できませんでした。1分ほど待ってから、このページを再読み込みしてください。
not-a-visit-title = このリンクは新しいタブで開いてください
not-a-visit-text = バックグラウンドまたは別のページの中で読み込まれたため、手続きは開始されていません。
method-not-allowed-title = 許可されていないメソッドです
method-not-allowed-text = このアドレスで使用できるのはGETのみです。手続きは開始されていません。
internal-title = システムで問題が発生しました
internal-text = 申し訳ございません。1分ほど待ってから、もう一度お試しください。
bad-request-title = { $app }からのリクエストが正しくありません
bad-request-text = 手続きは開始されていません。お客様の操作では解決できず、{ $app }の運営者による修正が必要です。
fact-developer = 開発者向け情報

## お問い合わせ先

ask-support = お困りの場合は、{ $app }のサポートまでお問い合わせください。
ask-operator = お困りの場合は、{ $app }の運営者までお問い合わせください。

## ボタン

try-again = もう一度試す
connect = 連携する
start = 開始する
open-in-notion = Notionで開く
continue-to-app = { $app }に進む
contact-support = サポートに問い合わせる

## 各ページ下部のリンク

support = サポート
privacy = プライバシーポリシー
terms = 利用規約
