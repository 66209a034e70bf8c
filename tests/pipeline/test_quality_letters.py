"""Letter models: text lies above letters thrown together; junk of every kind goes, in every language that has text."""

import gzip
import json
import pickle
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from configs import CONFIGS
from configs.errors import ModelError
from configs.load import load_languages
from configs.models import Quality
from pipeline.quality import Measures, QualityRules
from pipeline.quality.characters import is_special, lower
from pipeline.quality.junk import RECIPES, make_junk
from pipeline.quality.letter_order import ANY, UNITS_PER_NAT, UNKNOWN, _weight, sequence_keys
from pipeline.quality.letters import MODEL, LetterModel, LetterModels, load_models, make_model, save_models

LANGUAGES = load_languages()
LITERARY = [
    "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。",
    "国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。\n烽火连三月，家书抵万金。\n白头搔更短，浑欲不胜簪。",
    "道可道，非常道。名可名，非常名。无名天地之始，有名万物之母。故常无欲以观其妙，常有欲以观其徼。",
    "孙子曰：兵者，国之大事，死生之地，存亡之道，不可不察也。故经之以五事，校之以计，而索其情。",
]
"""Li Bai and Meng Haoran, Du Fu, the Laozi, the Sunzi: no model learnt from these works."""
TEXT = [
    "Kila mtu ana haki ya kuishi, haki ya kuwa huru na haki ya usalama wa nafsi yake.",
    "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa, wote wamejaliwa akili na dhamiri.",
    "Hakuna mtu atakayeteswa au kuadhibiwa kinyama au kufanyiwa mambo ambayo yatamvunjia heshima.",
]


@cache
def declarations():
    with gzip.open(CONFIGS / "data/tiny/declaration.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    texts = {}
    for row in rows:
        texts.setdefault(row["language"], []).append(row["text"])
    return {code: parts for code, parts in texts.items() if code in LANGUAGES.natural}


def letter_order(texts, code="sw", models=None):
    quality = Quality()
    columns = Measures(LANGUAGES, quality, letters=models)(
        pa.array(texts, pa.large_string()), pa.array([code] * len(texts))
    )
    return columns["letter_order"].to_pylist()


def reasons(texts, code, quality=None):
    measured = Measures(LANGUAGES, Quality())(pa.array(texts, pa.large_string()), pa.array([code] * len(texts)))
    count = len(texts)
    columns = {
        **measured,
        "language": pa.array([code] * count).dictionary_encode(),
        "language_declared": pa.array([code] * count),
        "source": pa.array(["web"] * count).dictionary_encode(),
        "language_score": pa.nulls(count, pa.float32()),
        "bytes_in": pa.nulls(count, pa.int64()),
    }
    return QualityRules(LANGUAGES, quality or Quality()).decide(pa.RecordBatch.from_pydict(columns)).reason.to_pylist()


@pytest.mark.parametrize("code", sorted({"ak", "sw", "xh", "ta", "ar", "zh-Hans", "vi", "yo"}))
def test_good_text_stays(code):
    assert set(reasons(declarations()[code], code)) == {None}


@pytest.mark.parametrize("text", LITERARY)
def test_literary_chinese_stays(text):
    assert reasons([text], "zh-Hans") == [None]


def test_literary_chinese_in_another_encoding_goes_and_so_does_modern_chinese_in_another_order():
    texts = [*LITERARY, "\n".join(declarations()["zh-Hans"])]
    read = [("utf-8", "gbk"), ("utf-8", "big5"), ("gbk", "big5"), ("utf-16-le", "gbk"), ("gbk", "utf-16-be")]
    garbled = [text.encode(wrote, "ignore").decode(as_, "ignore") for text in texts for wrote, as_ in read]
    korean = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
    garbled += [korean.encode("euc-kr").decode("gbk", "ignore"), TEXT[0].encode()[:60].decode("utf-16-le")]
    values = letter_order(garbled, "zh-Hans")
    limit = LANGUAGES.natural["zh-Hans"].quality.letter_order_min
    assert max(value for value in values if value is not None) < limit
    assert sum(value is not None for value in values) > len(garbled) * 0.8
    sentences = [line for text in declarations()["zh-Hans"] for line in text.split("\n") if len(line) > 15]
    shuffled = make_junk(sentences, True, 20)
    assert max(letter_order(shuffled["letters-in-words"] + shuffled["letters-anywhere"], "zh-Hans")) < limit


@pytest.mark.parametrize("other", ["ta", "zh-Hant", "pa"])
@pytest.mark.parametrize("code", ["en", "sw", "hi", "ar"])
def test_letters_of_another_script_are_not_judged(code, other):
    own, others = ["\n".join(declarations()[each])[:1500] for each in (code, other)]
    assert reasons([own + "\n" + others], code) == [None]
    alone, beside = letter_order([own, own + "\n" + others], code)
    assert beside == pytest.approx(alone, abs=0.02)
    (junk,) = make_junk(own.split("\n"), False, 1)["letters-anywhere"]
    assert reasons([junk + "\n" + others], code) == ["letter_order_min"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "cp437", "koi8-r"])
@pytest.mark.parametrize("code", ["hi", "ar", "ta"])
def test_a_text_read_in_another_encoding_goes_though_it_has_no_letters_of_its_own(code, encoding):
    text = "\n".join(declarations()[code])[:3000].encode().decode(encoding, "replace")
    assert letter_order([text], code)[0] < LANGUAGES.natural[code].quality.letter_order_min


@pytest.mark.parametrize("code", sorted({"ak", "sw", "xh", "ta", "ar", "zh-Hans", "vi", "yo"}))
def test_junk_of_every_kind_goes(code):
    unspaced = code.startswith("zh")
    sentences = [
        line for text in declarations()[code] for line in text.split("\n") if len(line) > (15 if unspaced else 40)
    ]
    for kind, texts in make_junk(sentences, unspaced, 20).items():
        dropped = sum(reason is not None for reason in reasons(texts, code))
        assert dropped >= 18, kind


def test_a_model_of_a_few_sentences_tells_them_from_their_letters():
    models = LetterModels({"sw": make_model((text, 1) for text in TEXT)})
    shuffled = make_junk(TEXT, False, 3)["letters-in-words"]
    assert min(letter_order(TEXT, models=models)) > max(letter_order(shuffled, models=models)) + 0.5


def test_a_text_of_few_letters_or_without_a_model_is_not_judged():
    assert letter_order(["Habari ya leo", TEXT[0]])[0] is None
    assert letter_order([TEXT[0]], "ki") == [None]


def test_a_long_text_is_judged_by_stretches_of_the_whole():
    good = " ".join(TEXT * 100)
    junk = make_junk(TEXT, False, 100)["letters-anywhere"]
    whole, half = letter_order([good, good + " " + " ".join(junk * 4)])
    assert half < whole - 0.3


def test_the_same_texts_give_the_same_model(tmp_path):
    for name in ("a.npz", "b.npz"):
        save_models(tmp_path / name, {"sw": make_model((text, 1) for text in TEXT)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert load_models(str(tmp_path / "a.npz"))["sw"].digest == make_model((text, 1) for text in TEXT).digest


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04"])
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(ModelError, match="not a letter model"):
        load_models(str(tmp_path / "m.npz"))


def test_a_model_of_another_language_is_refused(tmp_path):
    save_models(tmp_path / "m.npz", {"sw": make_model([(TEXT[0], 1)])})
    with pytest.raises(ModelError, match="no letter model for `ko`, only for sw"):
        LetterModels.load({"ko": str(tmp_path / "m.npz")})


def test_models_are_pickled():
    models = LetterModels({"sw": make_model([(TEXT[0], 1)])})
    assert letter_order(TEXT, models=pickle.loads(pickle.dumps(models))) == letter_order(TEXT, models=models)


def test_the_same_text_gives_the_same_junk():
    assert make_junk(TEXT, False, 5) == make_junk(TEXT, False, 5)
    assert all(len(texts) == 5 for texts in make_junk(TEXT, False, 5).values())
    assert set(make_junk([], False)) == set(RECIPES)


def test_letter_order_is_the_mean_weight_of_all_sequences():
    """The kernel's table of slots gives what a plain dictionary of the model gives."""
    code = "sw"
    model = load_models(str(MODEL))[code]
    weights = dict(zip(model.keys.tolist(), model.weights.tolist(), strict=True))
    for text in (*TEXT, "Zqx wvk " * 9, " ".join(TEXT[1].split()[::-1])):
        codes = [0, 0]
        found = []
        for letter in [*("" if is_special(letter) else letter for letter in lower(text)), ""]:
            if not letter and not codes[-1]:
                continue
            codes.append(ord(letter) if letter else 0)
            keys = sequence_keys(np.array([codes[-3:], [ANY, *codes[-2:]]], np.int64)).tolist()
            found.append(weights.get(keys[0], weights.get(keys[1], model.floor)))
            codes += [] if letter else [0]
        assert letter_order([text], code) == [np.float32(sum(found) / (UNITS_PER_NAT * len(found)))]


def test_an_unseen_pair_of_han_weighs_what_its_letters_lead_one_to_expect():
    model = load_models(str(MODEL))["zh-Hans"]
    weights = dict(zip(model.keys.tolist(), model.weights.tolist(), strict=True))
    kinds = Counter()

    def weight(pair):
        pair_key, *letters = sequence_keys(
            np.array([[ANY, *pair], [ANY, ANY, pair[0]], [ANY, ANY, pair[1]]], np.int64)
        ).tolist()
        kinds["seen" if pair_key in weights else "unseen" if set(letters) <= set(weights) else "unknown"] += 1
        if pair_key in weights:
            return weights[pair_key]
        if not set(letters) <= set(weights):
            return model.floor
        expected = sum(weights[letter] for letter in letters) / 8
        cost = np.log1p(np.exp(expected) / 0.5) - 0.5 * min(0, expected + 3)
        return -round(32 * min(3, cost))

    for text in (*LITERARY, LITERARY[1][::-1], LITERARY[2] + "鿏鿎鿍"):
        runs = "".join(" " if is_special(letter) else letter for letter in text).split()
        found = [weight(tuple(map(ord, pair))) for run in runs for pair in pairwise(run)]
        assert letter_order([text], "zh-Hans") == [np.float32(sum(found) / (UNITS_PER_NAT * len(found)))]
    assert min(kinds["seen"], kinds["unseen"], kinds["unknown"]) > 1


def test_a_table_holds_all_keys_and_no_others():
    random = np.random.default_rng(7)
    keys = np.unique(random.integers(1, 1 << 32, 3000, np.uint32))
    model = LetterModel(keys, random.integers(-96, 97, len(keys), np.int8), -96, 3)
    slots, (bits, _, _) = LetterModels({"sw": model}).table("sw")
    asked = np.concatenate([keys, keys ^ np.uint32(1 << 31), keys + np.uint32(1), keys - np.uint32(256)])
    known = dict(zip(keys.tolist(), model.weights.tolist(), strict=True))
    place, size = np.uint64(0), np.uint32(bits)
    assert [_weight(slots, place, size, key) for key in asked] == [known.get(key, UNKNOWN) for key in asked.tolist()]


def test_a_model_whose_keys_are_no_hashes_is_refused():
    high, low = np.meshgrid(np.arange(4096, dtype=np.uint32) << np.uint32(20), np.arange(1, 9, dtype=np.uint32))
    keys = (high | low).ravel()
    with pytest.raises(ModelError, match="keys are not hashes"):
        LetterModels({"sw": LetterModel(keys, np.zeros(len(keys), np.int8), -96, 3)}).table("sw")


def test_values_do_not_depend_on_the_languages_before():
    texts, codes = [TEXT[0], "All human beings are born free and equal in dignity.", TEXT[1]], ["sw", "en", "sw"]
    once = Measures(LANGUAGES, Quality())
    once(pa.array(texts[:1], pa.large_string()), pa.array(codes[:1]))
    together = once(pa.array(texts, pa.large_string()), pa.array(codes))
    again = once(pa.array(texts, pa.large_string()), pa.array(codes))
    alone = [
        Measures(LANGUAGES, Quality())(pa.array([text], pa.large_string()), pa.array([code]))
        for text, code in zip(texts, codes, strict=True)
    ]
    for name, column in together.items():
        assert column.to_pylist() == again[name].to_pylist() == [one[name][0].as_py() for one in alone]
