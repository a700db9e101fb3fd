"""Words that people name columns by, the most telling first."""

_ = str.split
TEXT = _(
    "text comment_text comment content body review message post tweet sentence document utterance "
    "description question prompt response abstract headline title"
)
PAIRS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("question", "sentence"),
    ("query", "passage"),
    ("question", "passage"),
    ("question", "answer"),
    ("claim", "evidence"),
)
LABEL = _(
    "label labels gold target class y category sentiment toxic toxicity hate hateful offensive "
    "abusive spam verdict stance outcome intent topic emotion profession decision rating stars "
    "result truth annotation tag polarity grade flagged harmful insult threat aggression sarcasm "
    "irony humor humour urgent relevant positive is has"
)
GROUP = _(
    "gender sex race ethnicity ethnic age religion nationality country region dialect orientation "
    "sexuality disability identity group demographic community origin income education party "
    "caste language male female black white asian latino muslim christian jewish lgbt lgbtq women "
    "men"
)
NO_GROUP = _(
    "source date time day month year url link file batch round status version platform device "
    "annotator rater worker confidence votes count score index id notes lang flag"
)
"""Columns of few values that are about how the data were made."""
CLUSTER = _(
    "author user username writer speaker thread conversation dialogue dialog document doc article "
    "story template subject patient customer client case parent session"
)
ID = _("id idx index key guid uuid uid")
