# The N-th call to the kernel fails, for every N. (That of cgroups/ is beside its contract.)
set(fault "${CMAKE_CURRENT_LIST_DIR}")

foreach(part launch head)
  quell_test(test_${part}_fault fault test_${part}_fault.c integration_world)
  target_sources(test_${part}_fault PRIVATE "${fault}/injector.c")
  # Their worlds wait for heartbeats most of the time.
  set_tests_properties(fault.test_${part}_fault PROPERTIES TIMEOUT 600
    ENVIRONMENT "CRITERION_VERBOSITY_LEVEL=1;CRITERION_JOBS=16")
endforeach()

quell_test(test_files_fault fault test_files_fault.c http ipc_wire base)
target_sources(test_files_fault PRIVATE "${fault}/gate.c" "${PROJECT_SOURCE_DIR}/agent/reserve.c" "${PROJECT_SOURCE_DIR}/agent/store.c"
  "${PROJECT_SOURCE_DIR}/supervisor/attempt.c")
foreach(call malloc calloc open openat fcntl read write pwrite ftruncate fallocate fstat lstat faccessat mkdir
    mkdirat linkat renameat unlink unlinkat fdopendir readdir socket bind connect listen)
  target_link_options(test_files_fault PRIVATE -Wl,--wrap=${call})
endforeach()
