"""Generation: summaries for questions, questions for documents, by rules or by a model behind an OpenAI-compatible API.

    rows → terms (may this text leave?) → strategy → request → cache, else endpoint → reply, checked → rows

Strategies: `summary` (question and answer given, the summary is written), `question` (document and summary given,
question and answer are written), `article` (document given; all three are written and every sentence is checked
against the text). Keys of `Example.meta` set here: `generated` (`rules` or the model's name), `strategy`, `parent` (id of
the row it was made of), `group` (rows of one document), `passage` (`[start, end)` of the parent's document, where only a
part was used), `trust` (0..1, `article` with a model), `removed` (sentences that the text did not support).
"""
