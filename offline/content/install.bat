@echo off
rem Installs vid2kp from the folder that this file lies in. Needs no network and no administrator.
rem
rem   install.bat            into the folder vid2kp of your own programs
rem   install.bat FOLDER     into another one, which is made if need be
rem
rem Running it again, or that of a newer copy, brings the installation up to date.
setlocal EnableExtensions DisableDelayedExpansion
title Installing vid2kp

set "WANTED={{python}}"
set "DIGITS=%WANTED:.=%"
rem No sign in it may mean anything to this shell.
set "TEST=import sys, venv; sys.exit([str(n) for n in sys.version_info[:2]] != '%WANTED%'.split('.') or sys.maxsize == 2**31 - 1)"
set "PYTHON_EXE="
set "PYTHON_OPTION="

call :find
if defined PYTHON_EXE goto install

rem A copy of Python may have come along. When it is whole, it is installed for this user alone.
set "SETUP=%~dp0python\{{installer}}"
if not exist "%SETUP%" goto no_python
certutil -hashfile "%SETUP%" SHA256 | findstr /i "{{installer_sum}}" >nul
if errorlevel 1 goto damaged
echo This computer has no Python %WANTED%. Installing it for you first ...
start "" /wait "%SETUP%" /quiet InstallAllUsers=0 PrependPath=0 Include_test=0 Shortcuts=0
call :find
if not defined PYTHON_EXE goto no_python

:install
"%PYTHON_EXE%" %PYTHON_OPTION% -I -X utf8 -B "%~dp0setup\install.py" %*
set "CODE=%ERRORLEVEL%"
goto end

:no_python
echo.
echo vid2kp was NOT installed: this computer has no Python %WANTED% of the 64-bit kind.
echo Ask your IT department to install it, then start this again.
set "CODE=1"
goto end

:damaged
echo.
echo vid2kp was NOT installed: this file is damaged or was changed since it was packed:
echo   "%SETUP%"
echo Copy the whole folder again. If that does not help, ask who gave it to you.
set "CODE=1"

:end
echo.
rem Whoever installs without a person in front of it says so:  set VID2KP_NO_PAUSE=1
if not defined VID2KP_NO_PAUSE pause
exit /b %CODE%

:find
call :try py -%WANTED%
if defined PYTHON_EXE exit /b 0
call :try "%LocalAppData%\Programs\Python\Python%DIGITS%\python.exe"
if defined PYTHON_EXE exit /b 0
call :try "%ProgramFiles%\Python%DIGITS%\python.exe"
if defined PYTHON_EXE exit /b 0
call :try python
if defined PYTHON_EXE exit /b 0
call :try python3
exit /b 0

rem Takes a Python when it starts and is of the wanted kind. The python.exe with which Windows only
rem points to its shop fails here as well.
:try
"%~1" %2 -I -c "%TEST%" >nul 2>nul
if not "%ERRORLEVEL%"=="0" exit /b 0
set "PYTHON_EXE=%~1"
set "PYTHON_OPTION=%2"
exit /b 0
