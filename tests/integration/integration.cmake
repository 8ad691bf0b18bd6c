# The real programs, started, killed and restarted. $QUELL_BIN_DIR puts others in their place (test.sh
# runs the same tests a second time against the release).
set(integration "${CMAKE_CURRENT_LIST_DIR}")

set(integration_sanitized 0)
if(QUELL_SANITIZE)
  set(integration_sanitized 1)
endif()

pkg_check_modules(JANSSON_INTEGRATION REQUIRED IMPORTED_TARGET jansson)
quell_library(integration_world SOURCES
  "${integration}/asker.c" "${integration}/janitor.c" "${integration}/program.c"
  "${integration}/stream.c" "${integration}/tasks.c" "${integration}/world.c"
  LINKS base PkgConfig::JANSSON_INTEGRATION PkgConfig::CRITERION)
target_compile_definitions(integration_world PUBLIC
  QUELL_TEST_BIN_DIR="${PROJECT_BINARY_DIR}/bin"
  QUELL_TEST_PROGRAMS_DIR="${PROJECT_BINARY_DIR}/tests/bin"
  QUELL_TEST_SANITIZED=${integration_sanitized})
add_dependencies(integration_world quell-head quelld quellctl fighter actor escaper)
if(TARGET quell-supervisor)
  add_dependencies(integration_world quell-supervisor)
endif()

foreach(topic agent_socket awkward cancel cgroups hostile looks many max_running outcomes records refusals restart strace supervisor
    watch world_of_a_task)
  quell_test(test_${topic} integration "${integration}/test_${topic}.c" integration_world)
  set_tests_properties(integration.test_${topic} PROPERTIES TIMEOUT 600)
endforeach()
