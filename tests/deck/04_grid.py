from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.feature_extraction.text import TfidfVectorizer
from pylearn.linear_model import LogisticRegression
from pylearn.datasets import stdlib_docs
(text_train, y_train), (text_test, y_test) = stdlib_docs.load_data()
pipeline = make_pipeline(TfidfVectorizer(),
                         LogisticRegression())
grid = GridSearchCV(pipeline,
                    param_grid={'logisticregression__C': [.1, 1, 10, 100]}, cv=5)
grid.fit(text_train, y_train)
print("Score", grid.score(text_test, y_test), grid.best_params_)
