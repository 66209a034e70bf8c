"""Near relatives told apart by what their spelling or their commonest words give away.

A group is a set of languages and, for each, signs with weights: parts of words, or whole words between spaces. Where
the vote answers a language of a group, the signs count beside what its voters said (`vote.Vote`). Signs were chosen
from grammars and orthographies, and kept where they helped on text from packages (docs/language-identification.md).
"""

from collections.abc import Mapping
from typing import Final

Signs = Mapping[str, Mapping[str, int]]

GROUPS: Final[tuple[Signs, ...]] = (
    {  # Kirundi writes vy, j and c where Kinyarwanda writes by, jy and cy; gufise, kuraba; gufite, kureba
        "rn": {
            "vy": 3, " ca ": 2, " co ": 2, " ico ": 3, " ica ": 3, " cane ": 4, " canke ": 4, "fise": 3, " kuraba": 2,
            "shir": 1, "shikiranganji": 4, "shikir": 1, "gushika": 2, "shitse": 2, " kw'": 2, " mw'": 2, " yuko ": 2,
            "abanyagihugu": 3, "amafranga": 3, " hama ": 1, " mugabo ": 2, " kumbure": 3, " indwi": 2, " umusi": 2,
            " imisi": 2, " ntaco": 3, "ntwaro": 1, " kuja": 3, " baja": 2, " azo": 2, "bazo": 2, " izo": 1, "bizo": 2,
            "hazo": 2, "tuzo": 2, "bandany": 3, "bandani": 3, "tangur": 3, "tanguy": 3, " imvo": 2, "migwi": 3,
            "mugwi": 3, " sentare": 3, "rukino": 3, " inkino": 3, "bisagara": 3, "gisagara": 3, "ngorane": 1,
            "rondera": 3, " jewe": 3, " uwu": 1, "ubuhinga": 2, " nico ": 3, "amagara": 1, " c'": 3, " mbega": 3,
            " musi ": 2, "shure": 3, "rongozi": 3, "butunzi": 2, "shasha": 2, "uheze": 2, "haheze": 2, "muduga": 2,
            "miduga": 2, "ndwano": 2, "pfung": 3, "ruhara": 2, "dandaz": 3, "gushitsa": 2, " kuruta": 1, " ego ": 2,
            "gambwe": 3, "kenyezi": 3, "rwaruka": 3, "nyeshamakuru": 3, "makungu": 2, "jejwe": 3, " nimba ": 3,
            " nyene ": 2, "bwirizwa": 3, "cegera": 2, " aca ": 2, " baca ": 2, "rongoy": 2, "politike": 2, "siguye": 2,
            "sigura ": 2, "seruk": 2, " ata ": 2, "shengero": 2, "gitigiri": 3, "bitigiri": 3, "ciyumviro": 3,
            "iyumvir": 2, "burimyi": 2, "arimyi": 2, " icenda": 2, "umwansi": 2, "abansi": 2, "dandaj": 3,
            "ntumbero": 2, "komine": 2, " wewe": 2, "bariko": 3, "yariko": 3, "turiko": 3, "biriko": 2,
            "buramatari": 3, "shingantahe": 3, " reta ": 2, "nguvu": 2, " icaha": 3, " gusumba ": 2, "amajambo": 3,
            " cose ": 3, " ca": 1, " co": 1, " ce": 1, " ico": 1, " ica": 1, "bagwayi": 3, "mugwayi": 3, "gwaye": 2,
            "mwo ": 3, "canecane": 3, "kibano": 2, "mwimbu": 2, "kwishira": 2, "shigikir": 3, "ntwarante": 3,
            "ndamukiza": 3, "rusama ": 2, "ruheshi": 3, "mukakaro": 3, "myandagaro": 3, "gitugutu": 3, "munyonyo": 3,
            "umugera ": 2, "inyifato": 2, "mbonerakure": 3, " yiwe ": 3, " wiwe ": 3, " ziwe ": 3, " biwe ": 3,
            " kiwe ": 3, " bwiwe ": 3, " rwiwe ": 3, " ryiwe ": 3, " kwiwe ": 3, "anje ": 2, " bobo ": 2, "ronk": 2,
            "ronse": 2, "mwumwe": 2, "nyene ": 2, "rashobora": 2, "kiringo": 2, "gacerere": 2, "butungane": 1,
            "ongerako": 2, "higanwa": 2, "kinyi ": 2, "tabu ": 2, "bumanuko": 3, "buraruko": 3,
        },
        "rw": {
            "by": 3, "cy": 3, "jy": 2, "shy": 2, "fite": 3, " kureba": 2, " ndetse": 3, "amafaranga": 3, "minisit": 2,
            "abaturage": 2, " umunsi": 2, " iminsi": 2, " hanyuma": 1, " nibura": 2, " ubwo ": 1, " nyuma ": 1,
            "butegetsi": 1, "yobozi": 2, "tangir": 2, "tangiye": 2, " aza": 1, " baza": 1, "biza": 1, " haza": 1,
            " tuza": 1, " impamvu": 2, "rukiko": 3, "mukino": 2, "mikino": 2, "komeza": 1, " mbere ": 1, "kugeza": 2,
            " kugera ": 1, "guverinoma": 3, "polisi": 1, "ikipe": 2, " buri ": 1, " munsi ": 2, "shuri": 2, " ese ": 2,
            "bukungu": 2, "koranabuhanga": 3, "ushize": 1, "hashize": 1, "modoka": 2, "nny": 2, "fung": 1, "ruhare": 2,
            "curuz": 1, " yego": 2, "shinzwe": 3, " ahita ": 2, " bahita ": 2, "yahise": 2, "bahise": 2, " niba ": 2,
            "rimo ": 2, "politiki": 2, "banyamakuru": 2, "munyamakuru": 2, "hinzi ": 2, "murenge": 2, "mirenge": 2,
            "barwayi": 3, "murwayi": 3, "rwaye ": 2, "amagambo": 1, "ngufu": 2, "umubare": 1, "imibare": 1,
            "nzobere": 2, "mpuguke": 2, "werurwe": 3, "gicurasi": 3, "ukuboza": 3, "ukwakira": 2, "itekerez": 1,
            "gahunda": 1, " nubwo ": 2, " n'ubwo ": 2, " kurusha": 2, "imbaraga": 1, "inkunga": 1, "rubyiruko": 1,
            "wowe": 2, "mo ": 1, "butabera": 2, "rushanwa": 2, "tabo ": 2, "burasirazuba": 2, "ongeyeho": 1,
        },
    },
    {  # Setswana writes tlh where the Sothos write hl; go and ga of the others are ho and ha in Southern Sotho
        "nso": {
            "hl": 2, "tlh": -2, " go ": 2, " ga ": 2, " gore ": 2, "bj": 2, "mps": 2, " ye ": 2, " yeo ": 2, "š": 1,
            " goba ": 4, " eupša": 4, " gomme ": 3, " tše ": 3, " tšeo ": 3, " ge ": 2, " fao ": 2, "eupsa ": 3,
            " kudu ": 3, "diriš": 2, "šom": 2, "gobane ": 2, "gantši": 2, "gabotse": 2, " ile ": 2, "leina": 1,
            "šw": 1, "gagwe ": 1, "ago": 1, "ego": 1, "ogo": 1, "aga": 1, "ega": 1, "wago ": 2, "wego ": 2,
            "ilego ": 2, "nago ": 1, "lego ": 1, "eago ": 1,
        },
        "st": {
            "hl": 2, "tlh": -2, " ho ": 3, " ha ": 3, " hore ": 3, "tjh": 2, "pj": 2, " tsa ": 1, "jw": 1, " kapa ": 3,
            " ea ": 2, " oa ": 2, " empa ": 3, " haholo": 3, " hape ": 3, " hona ": 2, " le ho": 1, "feela ": 3,
            " hara ": 2, " bakeng ": 3, "etsa": 2, "sebed": 3, "sebet": 3, "tlasa": 2, "lebitso": 2, "tjena": 2,
            "hobane ": 2, "hangata": 2, "hantle": 2, " hae ": 3, " ile ": 2, " hoba ": 1, "ho ": 1, "aha": 1, "eha": 1,
            "oha": 1, "ehi": 1, "aho": 1, " ho": 1, "wang ": 1, "nang ": 1, "ileng ": 2, "tseng ": 1,
        },
        "tn": {
            "tlh": 2, " go ": 2, " ga ": 2, " gore ": 2, " mo ": 1, " tsa ": 1, "jw": 1, " kgotsa ": 3, " gongwe ": 3,
            " jaaka ": 3, " gape ": 3, " thata ": 2, "dirisa": 2, "tiris": 2, " jwa ": 2, " fa ": 2, " mme ": 1,
            " jalo ": 1, "jaanong": 2, " kana ": 2, "gonne ": 2, "gantsi": 2, "sentle": 2, " tse di ": 2, " ne a ": 2,
            " ne ba ": 2, "leina": 1, "gagwe ": 1, " ko ": 1, "ago": 1, "ego": 1, "ogo": 1, "aga": 1, "ega": 1,
            "wang ": 1, "nang ": 1, "ileng ": 2, "tseng ": 1, "lweng ": 1, " tse ": 1, "tsena": 1,
        },
    },
    {  # isiXhosa doubles vowels where prefixes meet; isiZulu's demonstratives begin with l; siSwati writes tf and ts
        "xh": {
            "ii": 2, "ee": 2, "oo": 2, "mnt": 2, "rh": 2, "ty": 2, "dy": 1, " kwaye ": 3, " yaye ": 3, " okanye ": 3,
            " kunye ": 3, " xa ": 2, " ngokuba ": 2, " njengoko ": 2, "hulumente": 4, "xesha": 3, " ngoku ": 2,
            " emva ": 2, " ndi": 1, " utsho": 2, "mapolisa": 4, " ilizwe": 2, " eli ": 2, " esi ": 2, " olu ": 2,
            " oku ": 2, " apho ": 2, "nkqubo": 2, " phantsi ": 2, "mongameli": 3, "ninzi": 3, "ncinci": 2,
            "ncinane": 2, "funeka": 2, "nkokeli": 3, "bini": 1, "ntl": 3, "ntsa": 2, "ntse": 2, "ntsi": 2, "ntso": 2,
            "ntsu": 2, "kwakhona": 2, "khawulez": 2, "theth": 2, "fuman": 2, "jong": 2, "nced": 2, "gqib": 2,
            "sikolo": 2, "zikolo": 2, "titshala": 3, "shishin": 3, "qoqosho": 3, "nkcukacha": 3, "ngxaki": 3,
            "nkundla": 2, "qela ": 2, "nkwenkwe": 3, " utata": 2, "sapho": 2, "bomi ": 2, "gqirha": 3, "mbutho": 2,
            "ntoni ": 3, " nangona ": 3, " kananjalo ": 2, "kutheni": 2, "xelel": 2, "swelek": 3, "sixhenxe": 2,
            "sibhozo": 2, "thandathu": 2, "amawaka": 2, "pesenti": 2, "ngxelo": 2, "nyulo ": 2, "politiko": 2,
            "phathiswa": 2, "iveki": 2, "susela": 2, "kufuphi": 2, " malunga ": 2, "mzekelo": 2, "ziphumo": 2,
            "imeko": 2, "ngekhe": 2, "thixo": 2, "mfazwe": 2, "nqanaba": 2, "mgangatho": 2, "yunivesithi": 2,
            "ntsholongwane": 2, "hlabathi": 2, "bazana": 2, "mtsha": 2, "sitsha ": 2, " ezi ": 2, " aba ": 1,
            "kweli ": 2, "kwesi ": 2, " ukuba ": 1, " kuba ": 1, "ntwana": 1, "tsho ": 1, " isebe ": 1, "akakho": 1,
            "nyaniso": 2, "nxalenye": 2, "nkc": 2, "qak": 1, "tla": 1, "khusel": 2, "gca": 1, "gqi": 1, "luhlu ": 1,
        },
        "zu": {
            " ukuthi ": 3, "okuthi": 1, " futhi ": 3, " noma ": 3, " uma ": 3, " kanye ": 2, " lapho": 2,
            "hulumeni": 4, " manje ": 2, "khathi": 2, "umunt": 2, " kusho ": 3, "maphoyisa": 4, " ngoba ": 2,
            " leli ": 2, " lesi ": 2, " lolu ": 2, " lokhu ": 2, " lezi ": 2, " lo ": 1, " laba ": 2, " labo ": 1,
            "ngane": 2, " ngi": 1, " emuva": 2, " ngemva ": 2, "kumele ": 2, " izwe ": 2, "zweni ": 1, "umphakathi": 1,
            " phansi ": 2, " okwamanje": 2, " sengathi ": 2, "umuzi": 2, "umuthi": 2, "mengameli": 2, "ningi": 3,
            "ncane": 2, " izi": 1, "dingeka": 2, "bili": 1, "kepha ": 2, " yize ": 2, "nhl": 3, "nsa": 1, "nse": 1,
            "nsi": 1, "nso": 1, "nsu": 1, "shesha": 2, "khulum": 3, "thol": 2, "bheka": 2, "usizo": 2, "sikole": 2,
            "zikole": 2, "thisha": 3, "bhizinisi": 3, "mnotho": 3, "mininingwane": 3, "nkinga": 3, "nqumo": 2,
            "nkantolo": 3, "icala": 2, "qembu": 3, "umfana": 2, "mndeni": 2, "ukudla": 1, "dokotela": 3, "gciwane": 3,
            "namuhla": 2, "kusasa": 1, "njengoba": 2, " nakuba ": 3, "kungani": 2, "tshel": 1, "phesent": 2,
            "phoyisa": 2, "izindaba": 2, " izin": 1, " lena ": 2, "kuleli": 2, "kulesi": 1, "kulezi": 2, "lesi ": 1,
            "leli ": 1, "lolu ": 1, "lezi ": 1, "ngemuva": 2, "fanele ": 1, "nqob": 2, "sifazane": 3, "silisa": 2,
            "bazane": 2, "thupha": 1, "tatimende": 2, "khetho ": 1, "mbusazwe": 2, "ngqongqoshe": 3, "ekuseni": 2,
            "kusukela": 2, "eduze": 2, "mayelana": 2, "okungenani": 2, "miphumela": 2, "isimo": 1, "ngeke ": 2,
            "nkulunkulu": 2, "nyuvesi": 2, "ubaba": 2, " impi ": 1, "izinga": 1, "akekho": 1, "siza ": 1, "umu": 1,
            "inh": 1, "enh": 1, "mph": 1, "qiniso": 2, "ngxenye": 2, "vikel": 2,
        },
        "nd": {
            " ukuthi ": 2, " loba ": 4, " nxa ": 3, " kumbe ": 2, "hulumende": 5, "mapholisa": 4, " ilizwe": 2,
            " lokhu ": 2, " njalo ": 1, " ngoba ": 2, "sikhathi": 1, "umunt": 2, " lapho": 1, " lelo ": 1,
            " kanye ": 1,
        },
        "nr": {
            " nofana ": 4, " nanyana ": 4, " begodu ": 4, " godu ": 3, " ukobana ": 4, " kobana ": 4, " bona ": 1,
            " lokha ": 3, " ngombana ": 4, " kanye ": 1, "umunt": 1, "zelelo": 1, " nakube": 3, " nange ": 3,
        },
        "ss": {
            "kutsi": 4, " futsi ": 4, " nome ": 3, " kantsi ": 2, " tin": 1, " letin": 2, " letif": 2, "bantfu": 4,
            "muntfu": 4, "tf": 2, "dv": 1, "sikhatsi": 3, " tem": 1, "etfu": 2, "hulumende": 2,
        },
    },
    {
        "id": {
            " karena ": 3, " bahwa ": 3, " bisa ": 3, " ketika ": 1, " maupun ": 2, " harus ": 2, " apakah ": 1,
            " tanggal": 2, "nomor": 2, "otomatis": 2, "informasi": 2, "itas ": 2, " namun ": 2, " setelah ": 2,
            " saat ": 2, " mengatakan ": 2, "perusahaan": 3, " pemerintah": 1, " polisi": 3, " uang ": 3, " kantor": 2,
            "rumah sakit": 3, " yaitu ": 3, " berbagai ": 3, " mau ": 2, " saja ": 3, " televisi": 3, " sementara ": 1,
            " sekitar ": 1, " sebuah ": 1, " mobil ": 2, " kepolisian": 3, " tapi ": 2, " banget ": 3, " enggak ": 3,
            " kayak ": 2, " partai ": 3, " anggota ": 1, " gubernur ": 3, " presiden ": 3, " kebijakan ": 2,
            " perusahaan": 2, "meskipun": 2, "coba ": 2, "mencoba": 1, "rekan": 2, " kota ": 2, " pria ": 2,
            " istri": 3, " tim ": 3, "narkoba": 3, "dokter": 3, " obat": 2, "universitas": 2, "layanan": 2,
            "bisnis": 2, "keuangan": 3, "tentara": 3, "pemilu": 3, "pengadilan": 3, "kesehatan": 3, "siswa": 2,
            "perangkat": 2, "berkas": 2, "tautan": 2, "dukung": 3, "unduh": 3, "tampil": 2, "galat ": 3, "berhasil": 3,
            "daftar": 1, "sandi ": 1, "rinci": 2, "bagian": 2, "persen": 2, "justru": 2, "parlemen": 3, "direktur": 3,
            " film ": 3, "musik": 3, "delapan": 2, "kemarin": 2, " tersebut ": 1, " sore ": 2, "mengizinkan": 2,
            "diizinkan": 2, "basis data": 2, "rupiah": 2, "investigasi": 2, "penyidik": 2, "akun ": 3, " tipe ": 2,
            " kode ": 2, "metode": 2, "kolom": 2, "tabel": 3, " standar ": 2, " efek": 2, " grup ": 2, "kelompok": 1,
            " situs ": 3, "mengirim": 2, "jaringan": 2,
        },
        "ms": {
            " kerana ": 3, " bahawa ": 3, " boleh ": 1, " ialah ": 3, " sila ": 3, " mesti ": 2, " adakah ": 2,
            " tarikh": 2, "nombor": 2, "automatik": 2, "maklumat": 3, " selepas ": 3, " berkata ": 1, "syarikat": 3,
            " kerajaan ": 1, " polis ": 3, " wang ": 3, " pejabat ": 1, " iaitu ": 3, " pelbagai ": 2, " mahu ": 3,
            " sahaja ": 3, "syen": 3, "iti ": 1, " baharu ": 3, " beliau ": 1, " daripada ": 1, " kereta ": 1,
            " hospital ": 2, " parti ": 3, " ahli ": 1, " gabenor ": 3, " akhbar ": 2, " ogos ": 2, "manakala": 3,
            "apabila": 1, "cuba ": 2, "mencuba": 1, "rakan": 3, "kanak kanak": 3, "bandar ": 2, "isteri": 3,
            "kemalangan": 2, "dadah": 2, "doktor": 2, "ubat": 1, "universiti": 2, "perkhidmatan": 3, "perniagaan": 3,
            "kewangan": 3, "tentera": 3, "pilihan raya": 3, "undi ": 1, "mengundi": 2, "siasat": 3, "mahkamah": 3,
            "kesihatan": 3, "perisian": 3, " fail ": 2, "pautan": 2, "sokong": 3, "turun": 1, "papar": 2, "ralat": 3,
            "berjaya": 3, "senarai": 3, "laluan": 2, "butiran": 2, "bahagian": 3, "peratus": 3, " lapan ": 3,
            "justeru": 2, "parlimen": 3, "pengarah": 2, "pelakon": 3, "filem": 3, "muzik": 3, " lepas ": 1,
            "bagaimanapun": 2, "sekiranya": 2, "jawatan": 2, "ringgit": 2, "kemas kini": 2, "pangkalan": 2,
            "hendaklah": 2, " ia ": 1, " semak": 2, " tiada ": 2, "akaun": 3, "benarkan": 2, "emel ": 2, " kod ": 2,
            "kaedah": 3, "lajur": 2, "jadual": 2, "kumpulan": 2, "hantar": 2, "rangkaian": 2, "hapuskan": 1,
        },
    },
    {  # letters of Kashmiri's vowels
        "ur": {},
        "pnb": {},
        "ks": {"ٲ": 3, "ؠ": 3},
    },
    {  # Galician writes ción, ñ and unha where Portuguese writes ção, nh and uma
        "pt": {"ão": 3, "õe": 3, "ções": 2, " uma ": 3, " não ": 3, "nh": 1, " é ": 1, " em ": 1},
        "gl": {"ción": 3, "ñ": 3, " unha ": 4, " non ": 3, " dunha ": 4, " xa ": 2},
    },
    {  # Konkani's and is आनी, its to be आसा; Marathi's are आणि and आहे
        "mr": {" आणि ": 3, " आहे": 3, " नाही": 2, " म्हणून ": 2, " साठी": 1, "साठी ": 1, " होते": 2, " होता": 2},
        "kok": {
            " आनी ": 4, " आसा ": 3, " आसात ": 3, " म्हूण ": 3, "खातीर ": 2, " जावन ": 2, "ल्लें ": 2, " हांव ": 3,
        },
    },
    {  # Kikuyu alone of these writes ĩ and ũ; Lingala's infinitives begin with ko, its classes are mo, ba, li and bo
        "sw": {" ya ": 1, " wa ": 1, " kwa ": 1, " ni ": 1, " katika ": 3, " kuwa ": 2, " za ": 1, " la ": 1},
        "ln": {
            " ya ": 1, " ko": 1, " mpo ": 3, " oyo ": 2, " yango ": 2, " te ": 2, " bato ": 2, " mokolo": 2,
            " ekolo ": 2, " mboka ": 2, "zali ": 2, " moko ": 2, " nyonso ": 3, " epai ": 2, " liboso ": 2,
            " mosala ": 2, " misala ": 2, "konzi ": 3, " etumba": 2, " sanza ": 2, " lokola ": 3, " libanda ": 2,
            "kambo ": 2, " bokono": 2, "mosolo": 2, "ndeko ": 2, " lelo ": 2, " sima ": 2, " nzela ": 2, " kobanda ": 2,
            " na kati ": 3,
        },
        "ki": {"ĩ": 2, "ũ": 2},
    },
    {  # Tumbuka's class prefix is vi-, its but kweni, its past wa-ka-
        "ny": {
            " zinthu": 3, " koma ": 2, " kwambiri": 3, " ndi ": 2, " za ": 1, " anali ": 2, " anthu ": 2, " zi": 1,
        },
        "tum": {
            " vinthu": 3, " vya ": 3, " vi": 1, " kweni ": 3, " chomene": 4, "ŵa": 1, " wanthu ": 3, " ŵanthu ": 3,
            " panji ": 2,
        },
    },
    {  # Fon writes ɖ, ɔ and ɛ; Yoruba ọ and ẹ
        "yo": {"ọ": 2, "ẹ": 2, "ṣ": 2},
        "fon": {"ɖ": 5, "ɔ": 2, "ɛ": 2},
    },
)  # fmt: skip
_GROUP_OF = {language: group for group in GROUPS for language in group}


def group_of(language: str) -> Signs | None:
    """The group of a language; None where it has none."""
    return _GROUP_OF.get(language)
