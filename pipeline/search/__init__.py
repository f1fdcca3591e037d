"""Person search in one's own pictures: `from pipeline.search import Searcher`."""

from pipeline.search.searcher import Searcher

__all__ = ["Searcher"]
