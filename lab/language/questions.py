"""How people ask: phrasings in English and Chinese, with the typos that people make.

Slots: `{n}` the noun, `{a}` the noun with its article, `{p}` its plural, `{z}` the Chinese noun,
`{m}` its measure word, `{n2}` and `{z2}` a second noun.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ENGLISH: dict[str, tuple[str, ...]] = {
    "describe": (
        "What is in the picture?",
        "What is this?",
        "What's this?",
        "What's in this image?",
        "What is in the image?",
        "Describe the image.",
        "Describe the picture.",
        "Describe this picture",
        "What can you see in the picture?",
        "What do you see?",
        "What objects are in the picture?",
        "Tell me what is in this image.",
        "What does this picture show?",
        "Please describe this picture.",
        "what do you see",
        "Which objects are there in the photo?",
        "Please describe the image in detail.",
        "Tell me about this photo.",
        "Give a caption for this image.",
        "Introduce this picture.",
    ),
    "caption": (
        "Describe the image with grounding.",
        "Generate the caption in English with grounding:",
        "Describe the picture and frame every object.",
        "Caption this image with boxes.",
        "Detect all objects in the picture.",
        "Detect all the objects.",
        "Find and frame all the objects.",
        "Frame every object in the image.",
        "Draw boxes around everything.",
        "Describe the image in detail with boxes.",
    ),
    "ground": (
        "Frame the {n} in the picture",
        "Frame the {n} in the picture.",
        "Frame the location of the {n}.",
        "Frame the location of the {n} in the picture.",
        "Frame out the {n} in the image",
        "Find the {n}.",
        "Find the {n} in the picture.",
        "Detect the {n} in this image.",
        "Detect the {n}",
        "Locate the {n}.",
        "Locate the {n} in the picture with a box.",
        "Draw a box around the {n}.",
        "Where is the {n}? Give me the box.",
        "Output the bounding box of the {n}.",
        "Give me the bounding box of the {n} in this image.",
        "Please frame the {n}",
        "Can you find the {n} in the image?",
        "Can you frame the {n}?",
        "frame the {n}",
        "box the {n}",
        "Show me the {n} in this picture.",
        "Find {a}.",
        "Find all the {p}.",
        "Detect the {p} in this image.",
        "Frame the {p}.",
    ),
    "ground_two": (
        "Frame the {n} and the {n2}.",
        "Frame the {n} and the {n2} in the picture.",
        "Find the {n} and the {n2}.",
        "Detect the {n} and the {n2} in this image.",
        "Draw boxes around the {n} and the {n2}.",
        "Locate the {n} and the {n2}.",
    ),
    "exist": (
        "Is there {a} in the picture?",
        "Is there {a} in this image?",
        "Is there {a}?",
        "Does the picture contain {a}?",
        "Can you see {a} in the image?",
        "Can you see {a}?",
        "Do you see {a}?",
        "Are there any {p} in the image?",
        "Are there any {p}?",
    ),
    "count": (
        "How many {p} are there?",
        "How many {p} are in the picture?",
        "How many {p} are there in the image?",
        "How many {p} can you see?",
        "Count the {p}.",
        "Count the {p} in the picture.",
        "What is the number of {p}?",
    ),
    "count_all": (
        "How many objects are there?",
        "How many things are in the picture?",
        "How many objects are in the image?",
    ),
    "where": (
        "Where is the {n}?",
        "Where is the {n} in the picture?",
        "Where's the {n}?",
        "In which part of the image is the {n}?",
    ),
    "side": (
        "Is the {n} to the left or right of the {n2}?",
        "Is the {n} on the left or the right of the {n2}?",
        "Is the {n} left or right of the {n2}?",
    ),
    "colour": (
        "What colour is the {n}?",
        "What color is the {n}?",
        "what color is the {n}",
        "What is the colour of the {n}?",
        "What's the color of the {n}?",
        "Which colour does the {n} have?",
    ),
    "background": (
        "What is the background?",
        "What's the background?",
        "What colour is the background?",
        "What color is the background?",
        "Describe the background.",
        "Where was this picture taken?",
    ),
    "segment": (
        "Can you segment the {n} in this image?",
        "Can you segement the {n} in this image?",
        "Can you segment the {n}?",
        "Could you segment the {n} in the picture?",
        "Segment the {n}.",
        "segment the {n}",
        "Segment the {n} in this image.",
        "Please segment the {n} in the picture.",
        "Segement the {n} in the image",
        "segement the {n}",
        "Segment {n}",
        "segment {n}",
        "Give me the mask of the {n}.",
        "Can you cut out the {n}?",
        "Cut out the {n}.",
        "Mask the {n} in this image.",
        "Could you segmentate the {n}?",
        "Can you segmet the {n} in this picture?",
        "I want the segmentation mask of the {n}.",
        "I need a mask for the {n}",
        "Extract the {n} from the image.",
        "Please generate a mask for the {n}",
        "Where are the pixels of the {n}?",
    ),
    "segment_bare": ("The {n}, please.", "the {n}, please", "{n} please", "the {n} please"),
    "segment_two": (
        "Segment the {n} and the {n2}.",
        "Can you segment the {n} and the {n2} in this image?",
        "Can you segement the {n} and the {n2}?",
        "Please segment the {n} and the {n2} in the picture.",
        "Cut out the {n} and the {n2}.",
        "Give me masks of the {n} and the {n2}.",
    ),
    "biggest": (
        "Which is the biggest thing?",
        "What is the biggest thing in the picture?",
        "What is the largest object?",
        "Which object is the largest?",
        "which thing is biggest?",
    ),
    "beside_left": (
        "What is to the left of the {n}?",
        "What is left of the {n}?",
        "What do you see to the left of the {n}?",
        "What's on the left of the {n}?",
    ),
    "beside_right": (
        "What is to the right of the {n}?",
        "What is right of the {n}?",
        "What do you see to the right of the {n}?",
        "What's on the right of the {n}?",
    ),
    "beside_above": ("What is above the {n}?", "What's above the {n}?", "What is over the {n}?"),
    "beside_below": (
        "What is below the {n}?",
        "What's below the {n}?",
        "What is under the {n}?",
        "What is beneath the {n}?",
    ),
    "segment_it": ("Segment it.", "Can you segement it?", "Cut it out.", "Please segment it"),
    "ground_it": ("Frame it.", "Where is it? Give me the box.", "Draw a box around it."),
}

CHINESE: dict[str, tuple[str, ...]] = {
    "describe": (
        "这是什么?",
        "这是什么？",
        "这是什么",
        "图里有什么?",
        "图里有什么？",
        "图片里有什么东西？",
        "描述一下这张图片",
        "描述这张图片。",
        "请描述这张图。",
        "你看到了什么？",
        "这张图片里有哪些物体?",
        "图中有什么",
        "介绍一下图片的内容。",
        "这张图片里有什么？",
        "请介绍一下这张图片",
    ),
    "caption": (
        "描述图片并框出所有物体",
        "用检测框描述这张图。",
        "框出图中所有的物体",
        "框出所有物体",
        "检测图片里的所有目标。",
        "找出并框出所有东西",
        "检测所有物体",
    ),
    "ground": (
        "框出图片中{z}的位置",
        "框出图片中{z}的位置。",
        "框出图中{z}的位置",
        "框出图中的{z}",
        "框出图片中的{z}",
        "框出{z}的位置",
        "框出{z}",
        "请框出{z}",
        "请框出图中的{z}",
        "找到{z}",
        "找出图片中的{z}",
        "检测图中的{z}",
        "检测{z}",
        "用框标出{z}。",
        "帮我找出图片里的{z}",
        "标出{z}的位置",
        "请输出{z}的检测框",
        "把{z}框出来",
    ),
    "ground_two": (
        "框出图片中{z}和{z2}的位置",
        "框出{z}和{z2}",
        "框出图中的{z}和{z2}",
        "请框出{z}和{z2}",
        "检测图中的{z}和{z2}",
        "找出{z}和{z2}",
    ),
    "exist": (
        "图里有{z}吗？",
        "图里有{z}吗?",
        "图片中有{z}吗?",
        "图片里有{z}吗？",
        "有没有{z}?",
        "图中有没有{z}？",
        "你能看到{z}吗？",
        "有{z}吗？",
    ),
    "count": (
        "图里有几{m}{z}？",
        "图片中有几{m}{z}?",
        "有几{m}{z}？",
        "有多少{m}{z}?",
        "图中有多少{z}？",
        "数一数图中的{z}",
        "一共有几{m}{z}？",
    ),
    "count_all": ("一共有几个物体？", "图中有多少个东西?", "图片里有几个物体？"),
    "where": (
        "{z}在哪里？",
        "{z}在图片的什么位置?",
        "{z}在哪儿",
        "{z}在哪里?",
        "{z}在图中的哪里？",
    ),
    "side": ("{z}在{z2}的左边还是右边？", "{z}在{z2}的哪一边?", "{z}在{z2}的左边还是右边?"),
    "colour": (
        "{z}是什么颜色？",
        "{z}是什么颜色的?",
        "{z}是什么颜色",
        "{z}的颜色是什么？",
        "{z}什么颜色?",
    ),
    "background": (
        "背景是什么颜色？",
        "背景是什么?",
        "背景是什么？",
        "描述一下背景",
        "这是在哪里？",
    ),
    "segment": (
        "分割图片中的{z}",
        "分割图中的{z}",
        "请分割出{z}",
        "请分割图片中的{z}。",
        "把{z}分割出来",
        "帮我把图中的{z}抠出来",
        "把{z}抠出来",
        "请给出{z}的掩码",
        "能分割一下{z}吗？",
        "你能分割图片中的{z}吗?",
        "分割{z}",
        "分割出{z}",
    ),
    "segment_bare": ("我要{z}", "我想要{z}", "请给我{z}"),
    "segment_two": (
        "分割{z}和{z2}",
        "分割图片中的{z}和{z2}",
        "请分割出{z}和{z2}",
        "把{z}和{z2}分割出来",
        "把{z}和{z2}抠出来",
    ),
    "biggest": ("最大的是什么？", "最大的东西是什么?", "图中最大的物体是什么？", "哪个最大？"),
    "beside_left": ("{z}左边有什么？", "{z}的左边有什么?", "{z}的左边是什么？"),
    "beside_right": ("{z}右边有什么？", "{z}的右边有什么?", "{z}的右边是什么？"),
    "beside_above": ("{z}上面有什么？", "{z}的上面有什么?", "{z}上方是什么？"),
    "beside_below": ("{z}下面有什么？", "{z}的下面有什么?", "{z}下方是什么？"),
    "segment_it": ("把它分割出来", "分割它", "把它抠出来", "请分割它。"),
    "ground_it": ("框出它", "把它框出来", "框出它的位置"),
}

ENGLISH_HEADS = ("please ", "Please ", "hey, ", "Hi, ", "ok, ", "now ", "and ")
ENGLISH_TAILS = (
    " please", ", please", " for me", " for me please", " for me, please", ", thanks", " thanks",
    " now", " too", ", ok", " if you can", ", can you",
)  # fmt: skip
CHINESE_HEADS = ("请", "麻烦", "你好，", "现在", "再")
CHINESE_TAILS = ("，谢谢", "谢谢", "，好吗", "吧", "，麻烦了", "，可以吗")
"""What stands before and after a request and is no part of what is asked for."""

HELD_OUT_TAILS = (", if you would", " right away", ", thank you", " as well", ", my friend")
HELD_OUT_CHINESE_TAILS = ("，多谢", "，辛苦了", "，拜托")
"""Words after a request that training never sees."""

EARLIER = ("In picture {k}, ", "in picture {k}: ", "Picture {k}: ", "In the {o} picture, ")
CHINESE_EARLIER = ("图{k}里，", "第{k}张图里，", "在第{k}张图片中，")
"""What stands before a question about a picture that is not the newest; slots: its number as a
numeral and as an English ordinal."""
HELD_OUT_EARLIER = ("Back to picture {k}: ", "About the {o} picture: ")
HELD_OUT_CHINESE_EARLIER = ("回到图{k}，", "关于第{k}张图，")
"""Wordings of the same that training never sees."""

ADJECTIVES = _words(
    "red blue green yellow white black big small left right old new wooden metal round tall brown "
    "purple pink orange gray front back large tiny broken"
)

OTHER_NOUNS = _words(
    "wheel window roof leg ear eye nose tail wing flag grass wall floor desk box bottle plate bowl "
    "spoon fork knife sign lamp street traffic light bench man woman boy girl child baby person "
    "people face hand head hair shirt jacket dress pants skirt coat tie belt ring watch mirror "
    "painting curtain carpet pillow blanket towel bucket broom brush pen pencil paper bag wallet "
    "coin rope chain ladder fence gate bridge tower castle church river lake mountain hill rock "
    "stone sand snow ice fire smoke cloud rain leaf branch root fruit vegetable tomato potato "
    "onion pepper lemon peach pear cherry melon rice noodle soup cheese meat sausage cookie candy "
    "chocolate juice milk water wine beer tea coffee goat donkey deer wolf squirrel rat hamster "
    "parrot eagle swan goose pigeon peacock lizard crocodile dolphin seal shrimp ant fly mosquito "
    "beetle worm van jeep trailer tram subway canoe yacht kayak scooter skateboard ski sled "
    "surfboard helmet glove sock boot sandal crown necklace drum piano violin trumpet flute radio "
    "speaker microphone keyboard mouse monitor screen printer cable battery plug fan heater stove "
    "oven fridge sink toilet bathtub shower drawer shelf cabinet sofa stool vase candle toy doll "
    "robot kite anchor arrow basket bell blade bone brick bubble button cage calendar card cart "
    "cigar circle cliff cone cork crane crow cube curb dart dish dragon engine envelope feather "
    "finger flame foot frame funnel garden ghost globe goggles grill handle harp hen hook horn "
    "hose island ivy jar jug kettle kitten lantern lid lizard log loom magnet map mask medal mop "
    "mug nail needle nest net nut oar olive owlet pan panel peanut pebble pie pillar pin pipe "
    "plank planet pond pot puppy purse rabbit rail rake razor ribbon rug sail saw scale scarf "
    "screw seat shell shield shovel skull slide snowman spade spider sponge spring stamp statue "
    "straw string suit swing sword tank tap tape tent thread tile tire tongue tooth torch track "
    "tray trunk tube turkey valve vest wagon walnut web whistle wing wire wood yarn zipper"
)

HELD_OUT_NOUNS = _words(
    "window tail bottle traffic woman shirt pillow ladder bridge mountain leaf tomato cheese goat "
    "wolf eagle dolphin ant tram helmet crown piano keyboard fridge vase robot kite sausage anchor "
    "feather kettle lantern puppy shovel spider sword tent torch wagon whistle"
)
"""Never seen in training: the tag has to be copied from the question."""

OTHER_CHINESE = _words(
    "轮子 车轮 屋顶 窗户 桌子 瓶子 盘子 碗 勺子 叉子 刀 灯 路灯 长椅 男人 女人 男孩 女孩 孩子 人 "
    "手 头 头发 衬衫 外套 裙子 裤子 手表 镜子 枕头 毛巾 水桶 铅笔 纸 绳子 梯子 桥 塔 城堡 河 "
    "湖 山 石头 沙子 雪 火 烟 云 叶子 水果 蔬菜 西红柿 土豆 洋葱 柠檬 桃子 樱桃 米饭 面条 汤 "
    "奶酪 肉 饼干 糖果 牛奶 水 酒 茶 山羊 驴 鹿 狼 松鼠 老鼠 鹦鹉 老鹰 天鹅 鹅 鸽子 孔雀 海豚 "
    "虾 蚂蚁 苍蝇 头盔 手套 靴子 皇冠 鼓 钢琴 小提琴 键盘 鼠标 屏幕 电池 风扇 冰箱 花瓶 蜡烛 "
    "玩具 机器人 风筝 建筑 标志 旗子 墙 地板 跑道 道路 草 眼睛 耳朵 尾巴 翅膀 腿"
)

HELD_OUT_CHINESE = _words("窗户 瓶子 桥 山 女人 海豚 风筝 钢琴 尾巴 西红柿 山羊 皇冠")
