# The documents: what they show is compared with the programs (tests/docs_test.sh).
quell_test(test_docs_wire unit test_docs_wire.c ipc_nanomsg)
target_compile_definitions(test_docs_wire PRIVATE QUELL_WIRE_MD="${PROJECT_SOURCE_DIR}/docs/wire.md")

foreach(step names config canceltask wire)
  quell_add_test(docs_${step} integration bash "${PROJECT_SOURCE_DIR}/tests/docs_test.sh" ${step}
    "${PROJECT_BINARY_DIR}/bin")
endforeach()

# The demo builds a release: once is enough, and nothing beside it.
if(NOT QUELL_SANITIZE)
  quell_add_test(docs_demo integration bash "${PROJECT_SOURCE_DIR}/tests/docs_test.sh" demo)
  set_tests_properties(integration.docs_demo PROPERTIES TIMEOUT 900 RUN_SERIAL ON)
endif()
