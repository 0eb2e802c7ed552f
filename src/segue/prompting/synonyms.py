"""When two phrases mean the same: normalisation, plurals, and small groups of synonyms.

The groups cover common objects in photographs. Add your own with a JSON file that holds a list of
groups, `[["tram", "streetcar", "有轨电车"], …]`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from segue.deprecated import renamed_in
from segue.errors import InputError
from segue.files.text import read_json

__getattr__ = renamed_in(__name__)

_GROUPS = """
airplane, plane, aeroplane, aircraft, jet, 飞机
bicycle, bike, cycle, 自行车, 单车
motorcycle, motorbike, 摩托车
car, automobile, auto, 汽车, 轿车, 小汽车, 车
bus, coach, 公交车, 巴士, 公共汽车
truck, lorry, 卡车, 货车
train, 火车
boat, ship, vessel, 船
person, people, human, 人
man, guy, gentleman, 男人, 男子
woman, lady, 女人, 女子
child, kid, 小孩, 孩子, 儿童
boy, 男孩
girl, 女孩
dog, puppy, doggy, 狗, 小狗, 狗狗
cat, kitten, kitty, 猫, 小猫, 猫咪, 猫猫
couch, sofa, settee, 沙发
tv, television, tv monitor, tv set, 电视, 电视机
cell phone, mobile phone, cellphone, smartphone, mobile, phone, 手机
laptop, notebook computer, laptop computer, 笔记本电脑
refrigerator, fridge, 冰箱
cup, mug, 杯子, 水杯
trash can, garbage can, rubbish bin, dustbin, waste bin, 垃圾桶
bag, handbag, purse, 包, 手提包
backpack, rucksack, 背包
hat, cap, 帽子
glasses, spectacles, eyeglasses, 眼镜
trousers, pants, 裤子
picture, painting, 画
plant, potted plant, 盆栽, 植物
road, street, 路, 马路
football, soccer ball, 足球
donut, doughnut, 甜甜圈
hair dryer, hair drier, 吹风机
traffic light, stoplight, traffic signal, 红绿灯
tap, faucet, 水龙头
bird, 鸟, 小鸟
horse, 马
sheep, 羊, 绵羊
goat, 山羊
cow, cattle, 牛, 奶牛
elephant, 大象, 象
bear, 熊
zebra, 斑马
giraffe, 长颈鹿
lion, 狮子
tiger, 老虎
monkey, 猴子
rabbit, bunny, 兔子
duck, 鸭子
chicken, hen, 鸡
pig, 猪
fish, 鱼
butterfly, 蝴蝶
tree, 树, 大树
flower, 花, 花朵
grass, 草, 草地
sky, 天空
cloud, 云
sun, 太阳
moon, 月亮
mountain, 山
house, 房子
building, 建筑, 楼房
door, 门
window, 窗户, 窗
chair, 椅子
table, 桌子
bed, 床
bench, 长椅
lamp, 灯, 台灯
clock, 钟, 时钟
book, 书
bottle, 瓶子
bowl, 碗
plate, dish, 盘子
knife, 刀
fork, 叉子
spoon, 勺子
vase, 花瓶
umbrella, 雨伞, 伞
ball, 球
kite, 风筝
apple, 苹果
banana, 香蕉
orange, 橙子, 橘子
pear, 梨
strawberry, 草莓
lemon, 柠檬
carrot, 胡萝卜
tomato, 番茄, 西红柿
bread, 面包
cake, 蛋糕
pizza, 披萨
hamburger, burger, 汉堡, 汉堡包
sandwich, 三明治
keyboard, 键盘
mouse, 鼠标
helicopter, 直升机
rocket, 火箭
tractor, 拖拉机
shirt, 衬衫
shoe, 鞋, 鞋子
"""
_ARTICLE = re.compile(r"^(?:a|an|the|one|some)\s+")
_IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse",
    "geese": "goose", "feet": "foot", "teeth": "tooth", "knives": "knife", "leaves": "leaf",
    "wolves": "wolf", "shelves": "shelf", "loaves": "loaf", "wives": "wife", "scarves": "scarf",
    "potatoes": "potato", "tomatoes": "tomato", "mangoes": "mango",
}  # fmt: skip
_ENDING_IN_S = frozenset(
    {"bus", "glass", "grass", "dress", "glasses", "trousers", "pants", "scissors", "skis", "jeans",
     "shorts", "gas", "lens", "cactus", "octopus", "walrus", "christmas", "tennis", "canvas",
     "compass", "mattress", "octopuses", "hippopotamus", "rhinoceros"}
)  # fmt: skip


class Synonyms:
    """Decides whether two phrases mean the same."""

    def __init__(self, groups: Iterable[Sequence[str]] = ()) -> None:
        """
        Args:
            groups: phrases that mean the same, in any language; added to the bundled groups.
        """
        self._canonical_forms: dict[str, str] = {}
        bundled_groups = [line.split(",") for line in _GROUPS.strip().splitlines()]
        for group in [*bundled_groups, *groups]:
            forms = [singularise(normalise_phrase(phrase)) for phrase in group if phrase.strip()]
            known_forms = [
                self._canonical_forms[form] for form in forms if form in self._canonical_forms
            ]
            canonical_form = next(iter([*known_forms, *forms]), "")
            for form in forms:
                self._canonical_forms.setdefault(form, canonical_form)

    def canonical(self, phrase: str) -> str:
        """Return the same form for all phrases that mean the same.

        >>> Synonyms().canonical("The Aeroplanes"), Synonyms().canonical("飞机")
        ('airplane', 'airplane')
        """
        form = singularise(normalise_phrase(phrase))
        return self._canonical_forms.get(form, form)

    def __contains__(self, phrase: object) -> bool:
        """Whether a phrase is in one of the groups."""
        return isinstance(phrase, str) and (
            singularise(normalise_phrase(phrase)) in self._canonical_forms
        )

    @classmethod
    def read(cls, path: Path) -> "Synonyms":
        """Add the groups of a JSON file to the bundled ones.

        Raises:
            InputError: it cannot be read, or is not a list of lists of strings.
        """
        groups = read_json(path)
        is_valid = isinstance(groups, list) and all(
            isinstance(group, list) and all(isinstance(word, str) for word in group)
            for group in groups
        )
        if not is_valid:
            raise InputError(f'{path} must hold a list of groups like [["tram", "streetcar"]].')
        return cls(groups)


def normalise_phrase(phrase: str) -> str:
    """Lower-case a phrase, strip article and outer punctuation, and collapse spaces.

    >>> normalise_phrase(" The  Red Car. ")
    'red car'
    """
    phrase = re.sub(r"[\s_-]+", " ", phrase.lower()).strip(" .,;:!?\"'“”。，、！？")
    return _ARTICLE.sub("", phrase).strip()


def singularise(phrase: str) -> str:
    """Put the last word of an English phrase in the singular; leave anything else unchanged.

    >>> [singularise(phrase) for phrase in ("red cars", "buses", "berries", "bus", "女孩")]
    ['red car', 'bus', 'berry', 'bus', '女孩']
    """
    first_words, space, last_word = phrase.rpartition(" ")
    return first_words + space + _singularise_word(last_word)


def _singularise_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _ENDING_IN_S or len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "zzes", "ches", "shes")) or word[:-2] in _ENDING_IN_S:
        return word[:-2]
    return word[:-1]


_HYPERNYMS = {
    "person": frozenset({"man", "woman", "child", "boy", "girl"}),
    "man": frozenset({"boy"}),
    "woman": frozenset({"girl"}),
    "child": frozenset({"boy", "girl"}),
    "bag": frozenset({"backpack"}),
}
"""What may be called by a wider name: a man is a person."""
_BUNDLED = Synonyms()


def phrases_agree(phrase: str, other: str) -> bool | None:
    """Say whether two phrases can name one object; None: that is not known.

    They do when their heads mean the same, in either language, or one is a wider name of the other.
    They do not when both heads are known and mean something else.

    >>> phrases_agree("the red car", "汽车"), phrases_agree("man", "people")
    (True, True)
    >>> phrases_agree("dog", "cat"), phrases_agree("gizmo", "device")
    (False, None)
    """
    heads = [_heads(phrase), _heads(other)]
    if not all(heads):
        return None
    if heads[0] & heads[1]:
        return True
    known = [{head for head in one if head in _BUNDLED} for one in heads]
    if not all(known):
        return None
    for wide, narrow in (known, reversed(known)):
        if any(_HYPERNYMS.get(head, frozenset()) & narrow for head in wide):
            return True
    return False


def names_object(noun: str, name: str) -> bool:
    """Whether a noun names an object that is called `name`, and says no more than that name.

    >>> names_object("car", "the red car"), names_object("plane", "飞机")
    (True, True)
    >>> names_object("person", "man"), names_object("man", "person")
    (True, False)
    >>> names_object("fluffy dog", "dog")
    False
    """
    canonical, heads = _BUNDLED.canonical(noun), _heads(name)
    return canonical in heads or bool(_HYPERNYMS.get(canonical, frozenset()) & heads)


def _heads(phrase: str) -> set[str]:
    """Return the canonical forms of a phrase and of its ends: "red car" -> red car, car."""
    form = singularise(normalise_phrase(phrase))
    relation = re.split(r" (?:of|in|on|at|with|next to|left|right|behind|near) ", form)[0]
    words = relation.split()
    ends = {form, *(" ".join(words[start:]) for start in range(len(words)))}
    if any("\u3400" <= character <= "\u9fff" for character in form):
        ends |= {end for end in (form[start:] for start in range(len(form))) if end in _BUNDLED}
        ends.add(form.rpartition("的")[2])
    return {_BUNDLED.canonical(end) for end in ends if end}


def known_objects(text: str) -> Iterator[tuple[str, str]]:
    """Find the objects of the bundled groups that a text names.

    Yields:
        The canonical name of each, and the words of the text; of overlapping ones the longest.
        "Picture" is none of them.

    >>> list(known_objects("A traffic light and 两只小狗"))
    [('traffic light', 'traffic light'), ('dog', '小狗')]
    """
    for run in re.findall(r"[A-Za-z-]+(?: [A-Za-z-]+)*|[\u3400-\u9fff]+", text):
        separator = " " if run.isascii() else ""
        parts = run.split(" ") if separator else list(run)
        start = 0
        while start < len(parts):
            for end in range(min(len(parts), start + 5), start, -1):
                phrase = separator.join(parts[start:end])
                name = _BUNDLED.canonical(phrase)
                has_article = normalise_phrase(phrase) != phrase.lower()
                if phrase in _BUNDLED and not has_article and name != "picture":
                    yield name, phrase
                    start = end
                    break
            else:
                start += 1
