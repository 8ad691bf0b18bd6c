# What others build upon: the two libraries, the installed tree, the example that embeds it.
set(install_tests "${CMAKE_CURRENT_LIST_DIR}")

add_executable(scheduler "${PROJECT_SOURCE_DIR}/docs/examples/scheduler.c")
target_link_libraries(scheduler PRIVATE project_options quell_shared)
quell_test(test_scheduler integration test_scheduler.c integration_world)
target_compile_definitions(test_scheduler PRIVATE QUELL_SCHEDULER="$<TARGET_FILE:scheduler>")
add_dependencies(test_scheduler scheduler)

quell_add_test(libquell_symbols unit bash "${install_tests}/symbols_test.sh"
  "$<TARGET_FILE:quell_shared>" "${PROJECT_BINARY_DIR}/lib/libquell.a")

# Who compiles against an instrumented library has to know of it: this is about those who don't.
if(NOT QUELL_SANITIZE)
  quell_add_test(install integration bash "${install_tests}/install_test.sh"
    "${PROJECT_BINARY_DIR}" "$<TARGET_FILE:test_scheduler>")
  set_tests_properties(integration.install PROPERTIES TIMEOUT 300)
endif()
