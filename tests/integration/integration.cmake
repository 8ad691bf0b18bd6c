# The real programs, started, killed and restarted. $QUELL_BIN_DIR puts others in their place (test.sh
# runs the same tests a second time against the release).
set(integration "${CMAKE_CURRENT_LIST_DIR}")

set(integration_sanitized 0)
if(QUELL_SANITIZE)
  set(integration_sanitized 1)
endif()

pkg_check_modules(JANSSON_INTEGRATION REQUIRED IMPORTED_TARGET jansson)
quell_library(integration_world SOURCES
  "${integration}/asker.c" "${integration}/await.c" "${integration}/groups.c"
  "${integration}/janitor.c"
  "${integration}/mounts.c"
  "${integration}/prober.c" "${integration}/program.c" "${integration}/stream.c"
  "${integration}/tasks.c" "${integration}/world.c"
  LINKS base PkgConfig::JANSSON_INTEGRATION PkgConfig::CRITERION)
target_compile_definitions(integration_world PUBLIC
  QUELL_TEST_BIN_DIR="${PROJECT_BINARY_DIR}/bin"
  QUELL_TEST_PROGRAMS_DIR="${PROJECT_BINARY_DIR}/tests/bin"
  QUELL_TEST_SANITIZED=${integration_sanitized})
add_dependencies(integration_world quell-head quelld quellctl fighter actor escaper deaf nss_stand_in)
if(TARGET quell-supervisor)
  add_dependencies(integration_world quell-supervisor)
endif()

foreach(topic agent_socket awkward bad_clients bytes cancel causes cgroups check_config core_dump crossing crowd
    exhausted files handed_over history hostile limits looks many max_running outcomes peek records refusals requeue
    restart rules status_table strace supervisor users watch world_of_a_task)
  quell_test(test_${topic} integration "${integration}/test_${topic}.c" integration_world)
  set_tests_properties(integration.test_${topic} PROPERTIES TIMEOUT 600)
endforeach()

# Nothing beside it: it measures how long answers take.
set_tests_properties(integration.test_agent_socket integration.test_crowd integration.test_bad_clients
  PROPERTIES RUN_SERIAL ON)

# The table of the design's section 3 as it is observed, cell by cell.
add_custom_target(status_table COMMAND test_status_table VERBATIM USES_TERMINAL)
# And each cause on each kind of cgroups.
target_sources(test_causes PRIVATE "${integration}/causes.c")
add_custom_target(cause_table COMMAND test_causes VERBATIM USES_TERMINAL)
target_link_libraries(test_bytes PRIVATE quell ipc_nanomsg) # a head of its own
