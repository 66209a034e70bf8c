# ruff: noqa: E501 - a pattern a line
"""How licences are declared, and spoken of, in languages other than English.

Patterns are for the words of `governance.licence_comments`, as those of `licence_wording` are. Where a letter is not of
ASCII a pattern has `..?` (one character, or its two-letter form), so that text without accents is read as well. What these leave out is what a reader of
code meets least; a notice in a language that is not here is not seen.
"""

from governance.licence_phrases import compiled

LEAD = compiled(
    r"(?:"
    r"\bunter(?:~(?:der|den|die|dem|einer))?|\blizen[zs](?:iert)?(?:~(?:unter|nach|ist|gem..?..?))?[ :]?|\bbedingungen(?:~der)?|\bgem..?..?(?:~(?:der|den))?|\bunterliegt(?:~der)?"
    r"|\bsous(?:~(?:la|les))?(?:~licence)?|\b(?:termes|clauses|conditions)~de~la|\bsoumise?~[^a-z]*la|\br..?gie?~par~la"
    r"|\bbajo(?:~la)?|\blicencia(?:d[oa])?(?:~es)?[ :]?|\bt..?rminos~de(?:~la)?"
    r"|\bsob(?:~a)?|\blicen..?a(?:d[oa])?[ :]?|\btermos~da"
    r"|\bsotto(?:~la)?|\blicenza[ :]?|\bcon~licenza|\btermini~della"
    r"|\bonder(?:~de)?|\blicentie[ :]?|\bvoorwaarden~van~de"
    r"|\bna~(?:licencji|warunkach|zasadach)|\blicencj[ai][ :]?|\bpod~licenc..?.?.?"
    r"|\blisans..?[ :]?|\blisensi[ :]?|\bdi~bawah|\blicens(?:en)?[ :]?|\bsub~licen..?a|\bsota(?:~la)?|\bllic..?ncia[ :]?"
    r"|лицензи(?:я|ей|и|ю|ями)[ :]*|лицензиар\w*|ліцензі(?:я|єю|ї)[ :]*|услови(?:ям|ях)|под"
    r"|ライセンス(?:は|:)?|使用許諾:?|许可(?:证|协议)?:?|許可(?:證)?:?|协议:?|協議:?|授权:?|授權:?"
    r"|基于|基於|根据|根據|依据|依據|采用|採用|遵循|遵守|按照|以|使用|在|라이선스:?|라이센스:?"
    r"|gi..?y~ph..?p|(?:رخصة|مرخصة?|ترخيص|بموجب)[ \x{600}-\x{6ff}]{0,40}|مجوز|רישיון|רשיון|लाइसेंस|লাইসেন্স|உரிமம்|สัญญาอนุญาต|..?δεια|\blicenc(?:a|ija)?[ :]|\blisenssi|\blicen..?..?|\blitsents|\bleyfi|\bleseni|лиценц[аи]"
    r")[^a-z0-9\n\x{80}-\x{10ffff}]*$"
)
"""What stands before a licence's name and makes it a declaration."""

TAIL = compiled(
    r"^[ \"():]*(?:v(?:er(?:sion)?)?[ .]*)?(?:[0-9][0-9.]*\+?)?(?:[ -]or[ -]later|[ -]only)?[ \"():]*(?:"
    r"ライセンス|使用許諾|の(?:下|もと|条件|条項|定め)|に(?:従|基|準|より)|で(?:公開|配布|提供|ライセンス)|です"
    r"|协议|協議|许可|許可|授权|授權|条款|條款|开源|發布|发布"
    r"|라이선스|라이센스|허가|으로|로~|에~따라|하에"
    r"|(?:s..?r..?m~?[0-9.]*~)?(?:lisans|ile|alt..?nda)\b|लाइसेंस|лицензи|-(?:lizenz|licens|licentie|licenc)\b|-licensier|-lisenss|licenc~alatt"
    r")"
)
"""What stands behind a licence's name and makes it a declaration."""

FREE = compiled(
    r"freie~software|logiciel~libre|(?:software|programa|c..?digo)~(?:es~)?libre|software~livre|software~libero|vrije~software|wolne~oprogramowanie"
    r"|свободн\S+~программн|вільн\S+~програмн|フリーソフトウェア|自由ソフトウェア|自由软件|自由軟體|자유~?소프트웨어|svobodn\S+~software|..?zg..?r~yaz..?l..?m|perangkat~lunak~bebas|programari~lliure"
)
"""The opening of the notice of the GNU licences, translated."""

GNU = (
    r"licence~publique~g..?n..?rale(?:~(?:limit..?e|amoindrie|affero))?(?:~(?:de~)?gnu)?|licencia~p..?blica~general(?:~(?:reducida|menor|affero))?(?:~de)?(?:~gnu)?|licen..?a~p..?blica~geral(?:~(?:menor|affero))?(?:~(?:da~)?gnu)?"
    r"|licenza~pubblica~gener(?:ic|al)[ae](?:~(?:attenuata|affero))?(?:~gnu)?|(?:gnu~)?algemene~publieke~licentie|allgemeine[nr]?~..?ffentliche[nr]?~(?:gnu~)?lizenz|gnu-lizenz|powszechn\w+~licencj\w+~publiczn\w+(?:~gnu)?|(?:gnu~)?genel~kamu~lisans\S*|lisensi~publik~umum(?:~gnu)?|llic..?ncia~p..?blica~general(?:~(?:de~)?gnu)?"
    r"|(?:стандартн|универсальн|открыт|генеральн)\S+~общественн\S+~лицензи\S+(?:~gnu)?|лицензи\S+~gnu"
    r"|(?:gnu~?)?(?:劣等|アフェロ)?一般公衆(?:利用|使用)?(?:許諾(?:契約書?|書)?|ライセンス)|(?:gnu~?)?(?:较?宽松?|次級|寬)?通用公(?:共|众|眾)(?:许可证|許可證|授權條款|授权条款|许可协议|许可)|(?:gnu~?)?일반~?공중~?(?:사용~?)?(?:허가서|라이선스)"
)
"""Names of the GNU licences."""

NOT = compiled(
    r"\b(?:nicht|kein\w*|ob|pr..?f\w*|falls|wenn|andere[nrsm]?|fr..?her|urspr..?nglich|ehemals|statt|anstatt|anstelle|pas|aucun\w*|v..?rifie\w*|sauf|autres?|anciennement|lieu"
    r"|no|ning..?n\w*|comprueba|verifica\w*|si|otr[oa]s?|não|nao|nenhum\w*|outr[oa]s?|non|altr[oaei]|controlla|niet|geen|controleert|nie|sprawdza|neni|inte|ikke|de..?il)\b"
    r"|(?:^|[^\x{80}-\x{10ffff}])(?:не|ли|проверя\S+|друг\S+|если)(?:$|[^\x{80}-\x{10ffff}])|かどうか|でない|ではな|じゃな|調べ|判定|確認|避け|是否|不(?:是|使用|包含|得|要|可|能|应|應)|禁止|勿|非|检查|檢查|避免|여부|아닌|않|확인"
)
"""What makes a sentence with a licence's name no declaration, wherever it stands in it."""
