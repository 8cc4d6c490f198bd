"""Conditions: what they mean, and what is told of one that means nothing."""

from typing import Any

import pytest

from pulse.core.errors import InvalidFields
from pulse.memory.vectors.filters import condition_of

ALBUM = {"genre": "drama", "year": 2020, "score": 4.5, "live": True, "tags": ["a", "b"], "none": []}


@pytest.mark.parametrize(
    ("condition", "meets"),
    [
        ({"genre": "drama"}, True),
        ({"genre": {"$eq": "Drama"}}, False),
        ({"genre": {"$ne": "comedy"}}, True),
        ({"missing": {"$ne": "x"}}, True),
        ({"missing": "x"}, False),
        ({"year": 2020.0}, True),
        ({"year": "2020"}, False),
        ({"live": True}, True),
        ({"live": 1}, False),
        ({"year": {"$in": [True, 2020]}}, True),
        ({"live": {"$nin": [1, 0]}}, True),
        ({"score": {"$gt": 4, "$lte": 4.5}}, True),
        ({"score": {"$lt": 4.5}}, False),
        ({"genre": {"$gt": 1}}, False),
        ({"live": {"$gte": 1}}, False),
        ({"missing": {"$lt": 1}}, False),
        ({"tags": "b"}, True),
        ({"tags": {"$ne": "b"}}, False),
        ({"tags": {"$in": ["x", "a"]}}, True),
        ({"tags": {"$nin": ["x"]}}, True),
        ({"none": {"$in": ["x"]}}, False),
        ({"none": {"$nin": ["x"]}}, True),
        ({"none": {"$exists": True}}, True),
        ({"missing": {"$exists": False}}, True),
        ({"genre": "drama", "year": 1}, False),
        ({"$or": [{"year": 1}, {"genre": "drama"}]}, True),
        ({"$and": [{"year": 2020}, {"$or": [{"live": False}, {"score": 1}]}]}, False),
    ],
    ids=str,
)
def test_a_condition_is_met_or_not(condition: dict[str, Any], meets: bool) -> None:
    assert condition_of(condition)(ALBUM) is meets


def deep(levels: int) -> dict[str, Any]:
    return {"a": 1} if levels == 1 else {"$and": [deep(levels - 1)]}


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ({}, "filter"),
        ([], "filter"),
        ("genre = drama", "filter"),
        ({"$not": {"a": 1}}, "filter.$not"),
        ({"a": {"$regex": "x"}}, "filter.a.$regex"),
        ({"a": {"b": 1}}, "filter.a.b"),
        ({"a": {}}, "filter.a"),
        ({"a": None}, "filter.a.$eq"),
        ({"a": [1]}, "filter.a.$eq"),
        ({"a": {"$in": []}}, "filter.a.$in"),
        ({"a": {"$in": "x"}}, "filter.a.$in"),
        ({"a": {"$nin": [None]}}, "filter.a.$nin"),
        ({"a": {"$in": list(range(501))}}, "filter.a.$in"),
        ({"a": {"$gt": "x"}}, "filter.a.$gt"),
        ({"a": {"$lt": True}}, "filter.a.$lt"),
        ({"a": {"$exists": 1}}, "filter.a.$exists"),
        ({"$or": []}, "filter.$or"),
        ({"$and": {"a": 1}}, "filter.$and"),
        ({"$or": [{"a": 1}, 3]}, "filter.$or.1"),
        ({str(n): 1 for n in range(51)}, "filter"),
        (deep(9), "filter.$and.0.$and.0.$and.0.$and.0.$and.0.$and.0.$and.0.$and.0"),
    ],
    ids=[str(n) for n in range(21)],
)
def test_what_means_nothing_is_refused_where_it_stands(condition: Any, path: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        condition_of(condition)
    [fault] = refused.value.faults
    assert (fault.path, fault.code) == (path, "invalid_filter")


def test_a_condition_may_be_eight_levels_deep() -> None:
    assert condition_of(deep(8))({"a": 1})
