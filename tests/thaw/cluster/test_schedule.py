"""Which node does what: room, tries, nodes that are lost, and second attempts at what takes too long."""

from thaw.cluster.runner import TRIES
from thaw.cluster.schedule import REST_S, SLOW_S, SPARE, Schedule


def made(tasks=6, **nodes):
    schedule = Schedule(nodes or {"one": 1, "two": 1})
    for number in range(tasks):
        schedule.add(number)
    return schedule


def begun(schedule, now=0.0):
    return [(each.number, each.node) for each in schedule.choose(now)]


def test_nodes_get_tasks_by_their_room_and_no_more():
    schedule = made(tasks=9, small=1, large=4)
    there = begun(schedule)
    assert schedule.room == len(there) == 5 + 2 * SPARE
    assert [number for number, _ in there] == [*range(7)]
    assert sum(node == "large" for _, node in there) == 5
    assert begun(schedule) == []
    assert schedule.finish(0, there[0][1], 1.0)
    assert begun(schedule, 1.0) == [(7, there[0][1])]


def test_what_failed_is_tried_again_first_and_left_out_after_the_last_try():
    schedule = made(tasks=9)
    begun(schedule)
    node = "one"
    for _ in range(TRIES - 1):
        node = next(each.node for each in schedule.attempts if each.number == 0)
        assert not schedule.fail(0, node)
        assert begun(schedule)[0][0] == 0
    node = next(each.node for each in schedule.attempts if each.number == 0)
    assert schedule.fail(0, node)
    assert all(number != 0 for number, _ in begun(schedule))


def test_the_tasks_of_a_lost_node_go_to_the_others_and_lose_no_try():
    schedule = made(tasks=4)
    there = dict(begun(schedule))
    lost = [number for number, node in there.items() if node == "two"]
    for number in [number for number in there if number not in lost]:
        schedule.finish(number, "one", 1.0)
    schedule.lose("two")
    assert sorted(begun(schedule, 2.0)) == sorted((number, "one") for number in lost)
    assert not schedule.finish(lost[0], "two", 3.0), "what a node that is gone still says counts no more"
    assert {schedule.tries[number] for number in lost} == {0}


def test_a_node_on_which_a_process_died_rests_while_others_are_there():
    schedule = made(tasks=2)
    there = dict(begun(schedule))
    assert not schedule.crash(0, there[0], 0.0)
    other = next(node for node in schedule.nodes if node != there[0])
    assert begun(schedule, 1.0) == [(0, other)]
    schedule.add(9)
    assert begun(schedule, REST_S + 1) == [(9, there[0])]
    alone = made(tasks=1, only=1)
    begun(alone)
    alone.crash(0, "only", 0.0)
    assert begun(alone, 1.0) == [(0, "only")]


def test_what_takes_long_is_begun_on_another_node_and_counts_once():
    schedule = made(tasks=2)
    there = dict(begun(schedule))
    assert schedule.finish(0, there[0], 1.0)
    assert begun(schedule, SLOW_S - 1) == []
    ((number, node),) = begun(schedule, SLOW_S + 1)
    assert number == 1
    assert node != there[1]
    assert begun(schedule, 10 * SLOW_S) == [], "two attempts are enough"
    assert schedule.finish(1, node, SLOW_S + 2)
    assert not schedule.finish(1, there[1], SLOW_S + 3)
    assert not schedule.fail(1, there[1])


def test_a_slow_task_alone_on_the_only_node_is_waited_for():
    schedule = made(tasks=2, only=1)
    begun(schedule)
    schedule.finish(0, "only", 1.0)
    assert begun(schedule, 10 * SLOW_S) == []
