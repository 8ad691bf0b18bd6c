# agent/core and supervisor/core
quell_test(test_life unit test_life.c supervisor_core)
quell_test(test_ending unit test_ending.c supervisor_core)
quell_test(test_attempt_state unit test_attempt_state.c agent_core)
