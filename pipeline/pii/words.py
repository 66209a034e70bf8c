"""Words that tell what stands behind them: a telephone number, or an `@` that names no person."""

PHONE_WORDS = """
    alokan alokàn appeler appelez benga cel cellphone celular celulares contactar contacte contacter contactez
    contacto contato contatos deitu dial dđ ekwenti ekwentị essimu faks fax fixe fon fonera foni foonu founo frɛ
    fóònù gsm gọi hamagara handset helpline hotline hubungi ifoni ifowuni imbani inombolo izinombolo joignable
    joindre kontak kpọọ kwinombolo lamya landline leletsa leletša letsetsa liga ligar ligou ligue llama llamada
    llamadas llamar llame llamen llámame llámanos llámenos menghubungi mob mobile mobiles mogala mohala momo movil
    mpesa msisdn mugikor mugikorra mòbil mòbils móvil móviles namba nambala nambari ngocingo nhare nomer nomero
    nomor nomoro nomoron ph phone phones piga pigia ponsel ringa riqingho runhare shayela simu simuni sms ssimu sđt
    tel tel.º tele telefon telefone telefones telefoni telefono telefonoa telefonoak telefonora telefonoz telefɔni
    telefɔnu telemovel telemóvel telephone telephones telephoning telepon telf telp telpon telèfon telèfons teléfono
    teléfonos terefone tfn tfno thimu thimũ tlf tlfno tollfree tph truca trucar truqueu tsalela tèl tél téléphone
    téléphones ucingo umnxeba viber wasiliana watsapp weele whatsapp woo yifoni zap đt đtdđ
""".split()  # noqa: SIM905
"""What people write before a number to call in the languages of ROOTS with Latin script: whole words."""

AMBIGUOUS_PHONE_WORDS = """
    appel appelle appelles call called calling calls cell cells contact contacts hp numero numéro pe portable
    portables reach ring signal text txt wa
""".split()  # noqa: SIM905
"""The same, of words that stand before other numbers at least as often: calls of functions, cells of tables, `.txt`."""

PHONE_BEGINNINGS = """
    di_động gọi_số liên_hệ số_máy số_điện telefon telephon téléphon điện_thoại اتصل اتصلوا الاتصال التواصل الجوال
    الرقم المحمول الموبايل النقال الهاتف بالرقم تلفون تليفون جوال رابطہ فاكس فون فیکس للتواصل محمول موبائل موبايل
    نقال نمبر هاتف هواتف واتس واتساب واٹس ٹیلی ٹیلیفون کال कॉल टेलिफोन टेलीफ़ोन टेलीफोन दूरध्वनी दूरभाष नंबर नम्बर
    फ़ोन फोन भ्रमणध्वनी मोबाइल मोबाईल वाट्सएप व्हाट्सएप संपर्क सम्पर्क हेल्पलाइन কল টেলিফোন দূৰভাষ নম্বর নম্বৰ
    নাম্বার ফোন ম'বাইল মুঠোফোন মোবাইল যোগাযোগ হটলাইন হোয়াটসঅ্যাপ ਕਾਲ ਟੈਲੀਫ਼ੋਨ ਟੈਲੀਫੋਨ ਨੰਬਰ ਫ਼ੋਨ ਫੋਨ ਮੋਬਾਇਲ ਮੋਬਾਈਲ
    ਸੰਪਰਕ કૉલ કોલ ટેલિફોન નંબર ફોન મોબાઇલ મોબાઈલ સંપર્ક ଟେଲିଫୋନ ନମ୍ବର ଫୋନ ମୋବାଇଲ ଯୋଗାଯୋଗ ஃபோன் அலைபேசி அழைக்க எண்
    கைபேசி செல் செல்பேசி தொடர்பு தொலைபேசி போன் மொபைல் కాల్ టెలిఫోన్ దూరవాణి నంబర్ ఫోను ఫోన్ మొబైల్ సంప్రదించ సెల్
    ಕರೆ ಟೆಲಿಫೋನ್ ದೂರವಾಣಿ ಫೋನ್ ಮೊಬೈಲ್ ಸಂಖ್ಯೆ ಸಂಪರ್ಕ ടെലിഫോൺ നമ്പർ ഫോണ് ഫോൺ ബന്ധപ്പെട മൊബൈൽ വിളിക്ക ẹ̀rọ_ìbánisọ̀rọ̀
    ☎ ☏ ✆ 专线 传真 傳真 号码 專線 座机 微信 手机 手機 拨打 撥打 来电 热线 熱線 电话 联系 聯絡 聯繫 致电 致電
    號碼 行動 電話 📞 📱 📲
""".split()  # noqa: SIM905
"""The same as beginnings of words, for languages that add endings or write without spaces; `_` is a space."""

MARKUP = frozenset(
    """
    abstractmethod acl after afterall aftereach afterviewinit all allargsconstructor alpha altenter anchor annually
    anonymous api apiresponse app arg args arguments arity array asis aspect assert asserts assertthat asserttrue async
    asynccontextmanager atomic attr attribute attributes author auto autobuild autoclose autorelease autoreleasepool
    autowired availability available award backdrop base baseclass baseline bean beanproperty before beforeall
    beforeeach behaviour beta bind bindable binding body boolean brief bug builder bullet bundler bye bypass cache
    cacheable cached cached_property cacheput callable callback can case category center cfunction chapter charset
    check checkbox checked child children cindex cite class classmethod clear clientendpoint code codepoint collection
    colors column columns command comment comp compile component componentscan composable conditional config
    configuration const constant constructor consumes container contentchild context contextmanager controller convert
    copy copying copyright counter counterstyle created createddate cross csrf css ctrl custom customelement cython
    daily dailya data dataclass dataclasses dataprovider date datetime debug declareroles decorator def default
    defcodeindex defcv deffn define defineproperty defmac defspec deftp deftypefn defun defvar delete denyall
    dependency depends deployment deprecated deprecatedsince deregister description detail detailmenu details dfn
    directive directory discardableresult dispatch display div documentation domain dots dt dynamic each eachblock echo
    edit ejb element elements else elseif embed emits emph enable enableautoconfiguration enableconfigurationproperties
    enablescheduling end endcan endcode endforeach endif endphp endsection enduml entity entitymanager enum enumerate
    env environment environmentobject eq equiv error errors escape escapehtml escaping evaluate event eventhandler
    eventlistener example examples except exception exceptionhandler exdent expectederror expectedexception
    experimental export exports expose expression extend extends extension extern external factory fail false feature
    fetchrequest field fields file fileoverview files final finalbutton findex fixture fluent flush fn focusstate font
    foo footnote for foreach forelse format formparam from frozen fulfill func function functional functions functools
    generated generatedvalue get getmapping getter given global gmail goal group guard guice handler handlestypes head
    header headerparam heading headings helper hidden hide hook host hostbinding hostlistener hotmail hourly html http
    httpconstraint httpmethodconstraint ibaction ibdesignable ibinspectable iboutlet icloud id identifier if ifclear
    ifdef ifhtml ifinfo ifnothtml ifplaintext ifset iftex ifxml ignore ignorecase image immutable implements import inc
    include includes indent index indexed info inherit inheritdoc init inject injectable inlinable inline inlinefmt
    inner inout input inputs insert install instance int intdef integer interface internal interpolate invariant isa
    isnotnull item itemize items itemx iterable jit job join joincolumn jointable jsonignore jsonproperty jvmfield
    jvmoverloads jvmstatic kbd key keyframes keypath keys keyword kindex kotlin lang language later latest layer layout
    lazy lc ldots left level lib licence license line lines link linkcode lint list listener literal local localhost
    location log logger lombok macro mail main mainactor majorheading managedobject manytomany manytoone map
    mappedsuperclass mapper mark math mathjax max maxby maxlength media mem member memberof memoize menu message
    messages meta metadata metatype method methods middleware midnight migration min minus mixin mock mockbean model
    models modified modifies module modules monthly multipartconfig mustoverride mustuse name namedquery names
    namespace native ndarray need nestable nestedtest never new nexus nightly njit noargsconstructor node noindent
    noinline nonatomic none nonnls nonnull nonobjc noreturn nospecialize notblank note notempty notnull nsmanaged null
    nullable number objc objcmembers object observable onclose oncreate onerror onetomany onetoone oneway onlyif
    onmessage onopen option optional optionalprop options or order ordered org outlook output outputs overload
    overloads override override_settings package packageprivate page pagesizes parallel param parameter parameterized
    parameters parametrize params parent part partial patch path pathparam pathvariable pep permitall persist php
    phpdoc pindex pipe pkg place placeholder plugin point post postconstruct postmapping pre preauthorize
    preconcurrency precondition predestroy prefix preview primary primarykey print printindex priority private
    procedure produces product profile program prop properties property propertywrapper props protected protonmail
    prototype provide provider provides proxy public publish published pure push put putmapping pxref pyqtslot pytest
    qualifier query queryparam quotation raises raw react readonly reboot receiver record recover ref refill regex
    region register registered relation release remote remove render repeat repeatable replace repository request
    requestbody requestmapping requestparam require required requiredargsconstructor requires requiresapi reserved
    resource response responsebody rest restcontroller result results retention retry retryable return returns
    returnvalue right role roles rolesallowed rollback root route router routes row rtl rule rules run runas runtime
    runwith safe samp sample scenario scene scenestorage scheduled schema scope script search secondary secondaryentry
    section secured see seealso selector self sendable sequence serializable serverendpoint service servletsecurity
    session set setchapternewpage setfilename setter setting settings setup shared shortcontents show shrink signature
    simple since singleton sizemax skip slack slf4j slicer slot smallexample sp spec sphinx spring
    springbootapplication spy spybean stack stackoverflow state stateobject static staticmethod status stop store str
    stream string strong struct structure stub style styles subheading subject subscribe subsection subst subsubsection
    summary summarycontents super supports suppress suppresswarnings switch sync synchronized syncodeindex synindex
    syntax synthesize sysname system tab table tag tailrec tailwind target task tbl tearoff temp template templates
    test testable testcase testconfig testfactory testmethod testonly tests tex text theme then this threadsafe throw
    throws tile timed timeout timer timestamp tindex tip title titlefont titlepage titles todo token top total_ordering
    traceback tracked trait transaction transactional transfer transform transient translate true try tuple type
    typedef typeparam types ui uiapplicationmain unchecked uncheckedsendable undocumented unique unittest unknown
    unless unlink unnumbered unnumberedsec unowned unroll until update uref url usablefrominline use user username
    utils valid validate validated validator validatorconstraint value values var vararg variable vars vb version
    versionadded viewbuilder viewchild viewport views vindex virtual visibility visiblefortesting void volatile vtable
    w3c wait warn warn_unused_result warning watch weak web webfilter webinitparam weblistener webservlet websocket
    weekly when where while widget wiki with within word words wrapped wraps write xml xref xss yahoo yearly yield yml
    zone
    """.split()  # noqa: SIM905
)
"""Mark-up of documentation, rules of style sheets and templates, annotations and decorators, arrays of Perl, times of
cron, hosts of mail: nobody's name."""

MODULES = frozenset(
    """
    abc aiohttp alembic angular app asyncio attr attrs babel bot bp cache celery chz click client commands
    contextlib dataclass dataclasses decorators discord django dp dramatiq emotion export fastapi flask functools
    gen given hydra hypothesis io itertools jax jit login_manager main mcp mock mod nb nestjs next np numba numpy
    nuxt official org overload override parameterized pd pipeline property pydantic pyqtslot pytest ray receiver
    register router self server settings sio six skip storybook strawberry task testing tf theano tool torch
    transaction triton typer types typing unittest validators vectorize vue wraps xfail
    """.split()  # noqa: SIM905
)
"""Modules and objects whose functions decorate: `@app.route`."""
