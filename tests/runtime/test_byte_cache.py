from threading import Thread

from segue.runtime.byte_cache import ByteCache


def test_a_value_is_computed_once():
    cache, computed = ByteCache[str, bytes](100, size_of=len), []
    for key in "aab":
        cache.get_or_compute(key, lambda: computed.append(0) or b"12")
    assert len(computed) == 2
    assert len(cache) == 2
    assert cache.size_bytes == 4


def test_the_least_recently_used_value_is_evicted_first():
    cache = ByteCache[str, bytes](4, size_of=len)
    for key in "ab":
        cache.put(key, b"12")
    cache.get("a")
    cache.put("c", b"12")
    assert [key in cache for key in "abc"] == [True, False, True]


def test_the_newest_value_stays_even_where_it_alone_is_over_the_budget():
    cache = ByteCache[str, bytes](4, size_of=len)
    cache.put("a", b"1")
    cache.put("b", b"123456")
    assert "b" in cache
    assert len(cache) == 1


def test_a_value_that_grew_counts_with_its_present_size():
    cache, value = ByteCache[str, bytearray](10, size_of=len), bytearray(2)
    cache.put("a", value)
    value.extend(bytes(20))
    assert cache.size_bytes == 22
    cache.put("b", bytearray(1))
    assert "a" not in cache


def test_the_number_of_values_can_be_bounded():
    cache = ByteCache[int, bytes](10, size_of=len, max_entries=2)
    for key in range(5):
        cache.put(key, b"")
    assert [key for key in range(5) if key in cache] == [3, 4]


def test_a_smaller_budget_takes_effect_with_the_next_value():
    cache = ByteCache[int, bytes](10, size_of=len)
    for key in range(5):
        cache.put(key, b"12")
    cache.budget_bytes = 4
    cache.put(5, b"12")
    assert cache.size_bytes == 4
    cache.remove(5)
    cache.clear()
    assert len(cache) == 0


def test_threads_may_share_a_cache():
    cache = ByteCache[int, bytes](20, size_of=len)

    def work(first: int) -> None:
        for key in range(first, first + 500):
            cache.get_or_compute(key % 40, lambda: b"12")

    threads = [Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.size_bytes <= 20
