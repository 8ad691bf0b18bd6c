# The contract of cgroups/: on this machine's hierarchies, and on files.
pkg_check_modules(LIBCGROUP_FAULT REQUIRED IMPORTED_TARGET libcgroup)
set(contract "${CMAKE_CURRENT_LIST_DIR}")

quell_library(fake_cgfs SOURCES
  "${contract}/../fakes/fake_cgfs.c" "${contract}/../fakes/fake_cgroup2.c" LINKS base)

quell_test(test_task_cgroup_contract contract test_task_cgroup_contract.c cgroups_host)
target_sources(test_task_cgroup_contract PRIVATE
  "${contract}/contract_host.c" "${contract}/contract_host_real.c")

quell_test(test_task_cgroup_contract_on_files contract test_task_cgroup_contract.c
  cgroups_host_core cgroups_task_core fake_cgfs)
target_sources(test_task_cgroup_contract_on_files PRIVATE
  "${contract}/contract_host.c" "${contract}/contract_host_fake.c")

foreach(part kill inside v1)
  quell_test(test_task_cgroup_${part} contract test_task_cgroup_${part}.c cgroups_host)
  target_sources(test_task_cgroup_${part} PRIVATE "${contract}/contract_host.c"
    "${contract}/contract_host_real.c" "${contract}/contract_task.c")
endforeach()

quell_test(test_cgroup_host_open contract test_cgroup_host_open.c cgroups_host)
target_sources(test_cgroup_host_open PRIVATE "${contract}/contract_host.c")

quell_test(test_cgroup_host_files contract test_cgroup_host_files.c
  cgroups_host_core cgroups_task_core fake_cgfs)
target_sources(test_cgroup_host_files PRIVATE "${contract}/contract_host.c")

quell_test(test_task_cgroup_v1_files contract test_task_cgroup_v1_files.c
  cgroups_task_core fake_cgfs)

quell_test(test_task_cgroup_fault fault test_task_cgroup_fault.c
  cgroups_host_core cgroups_task_core fake_cgfs PkgConfig::LIBCGROUP_FAULT)
target_sources(test_task_cgroup_fault PRIVATE "${contract}/contract_host.c")
target_link_options(test_task_cgroup_fault PRIVATE -Wl,--wrap=cgroup_create_cgroup)

quell_test(test_cgroup_detect unit ../unit/test_cgroup_detect.c cgroups_host)
