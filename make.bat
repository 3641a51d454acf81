@rem Windows: "make run" and "make test" in this folder do what the Makefile does elsewhere.
@if "%PYTHON%"=="" (set "PYTHON=py -3")
@%PYTHON% "%~dp0bootstrap.py" %*
