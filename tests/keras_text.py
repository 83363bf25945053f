"""Keras 2.15's Tokenizer in plain Python: what ours must equal, and be faster than.

One difference: the words of a document are counted in the order they occur, where Keras takes that of a set, which
differs from process to process. Only the order within ``word_docs`` and ``index_docs`` depends on it.
"""

import collections

import numpy as np

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(text, filters=FILTERS, lower=True, split=" "):
    if lower:
        text = text.lower()
    text = text.translate(str.maketrans(dict.fromkeys(filters, split)))
    return [w for w in text.split(split) if w]


class Tokenizer:
    def __init__(self, num_words=None, filters=FILTERS, lower=True, split=" ", char_level=False, oov_token=None,
                 analyzer=None):  # fmt: skip
        self.word_counts = collections.OrderedDict()
        self.word_docs = collections.defaultdict(int)
        self.filters, self.split, self.lower, self.num_words = filters, split, lower, num_words
        self.document_count, self.char_level, self.oov_token, self.analyzer = (
            0,
            char_level,
            oov_token,
            analyzer,
        )
        self.index_docs = collections.defaultdict(int)
        self.word_index, self.index_word = {}, {}

    def words(self, text):
        if self.char_level or isinstance(text, list):
            if self.lower:
                text = [w.lower() for w in text] if isinstance(text, list) else text.lower()
            return text
        if self.analyzer is None:
            return text_to_word_sequence(text, self.filters, self.lower, self.split)
        return self.analyzer(text)

    def fit_on_texts(self, texts):
        for text in texts:
            self.document_count += 1
            seq = self.words(text)
            for w in seq:
                if w in self.word_counts:
                    self.word_counts[w] += 1
                else:
                    self.word_counts[w] = 1
            for w in dict.fromkeys(seq):
                self.word_docs[w] += 1
        counts = list(self.word_counts.items())
        counts.sort(key=lambda x: x[1], reverse=True)
        ordered = [] if self.oov_token is None else [self.oov_token]
        ordered.extend(wc[0] for wc in counts)
        self.word_index = dict(zip(ordered, list(range(1, len(ordered) + 1))))
        self.index_word = {c: w for w, c in self.word_index.items()}
        for w, c in list(self.word_docs.items()):
            self.index_docs[self.word_index[w]] = c

    def fit_on_sequences(self, sequences):
        self.document_count += len(sequences)
        for seq in sequences:
            for i in dict.fromkeys(seq):
                self.index_docs[i] += 1

    def texts_to_sequences(self, texts):
        oov, out = self.word_index.get(self.oov_token), []
        for text in texts:
            vect = []
            for w in self.words(text):
                i = self.word_index.get(w)
                if i is not None:
                    if self.num_words and i >= self.num_words:
                        if oov is not None:
                            vect.append(oov)
                    else:
                        vect.append(i)
                elif self.oov_token is not None:
                    vect.append(oov)
            out.append(vect)
        return out

    def sequences_to_texts(self, sequences):
        oov, out = self.word_index.get(self.oov_token), []
        for seq in sequences:
            vect = []
            for num in seq:
                word = self.index_word.get(num)
                if word is not None:
                    if self.num_words and num >= self.num_words:
                        if oov is not None:
                            vect.append(self.index_word[oov])
                    else:
                        vect.append(word)
                elif self.oov_token is not None:
                    vect.append(self.index_word[oov])
            out.append(" ".join(vect))
        return out

    def texts_to_matrix(self, texts, mode="binary"):
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences, mode="binary"):
        num_words = self.num_words or len(self.word_index) + 1
        x = np.zeros((len(sequences), num_words))
        for i, seq in enumerate(sequences):
            counts = collections.Counter(j for j in seq if j < num_words)
            for j, c in counts.items():
                if mode == "count":
                    x[i][j] = c
                elif mode == "freq":
                    x[i][j] = c / len(seq)
                elif mode == "binary":
                    x[i][j] = 1
                else:
                    idf = np.log(1 + self.document_count / (1 + self.index_docs.get(j, 0)))
                    x[i][j] = (1 + np.log(c)) * idf
        return x
