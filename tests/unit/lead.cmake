# agent/core, supervisor/core, base/lock
quell_test(test_lock unit test_lock.c base)
quell_test(test_life unit test_life.c supervisor_core)
quell_test(test_ending unit test_ending.c supervisor_core)
quell_test(test_attempt_state unit test_attempt_state.c agent_core)
quell_test(test_launch_room unit test_launch_room.c agent_core)
