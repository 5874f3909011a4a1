"""Daytona's Python SDK, unmodified, moves files to and from our daemon."""

import os
import secrets
import tempfile
from pathlib import Path

from daytona import FileDownloadRequest, FileUpload

import harness


class Files(harness.Case):
    area = "files"

    def setUp(self):
        # Each test has a directory of its own.
        self.name = f"files-{secrets.token_hex(4)}"
        self.fs.create_folder(self.name, "755")
        self.addCleanup(self.fs.delete_file, self.name, True)
        folder = tempfile.TemporaryDirectory(prefix="sandbox-sdk-files-")
        self.addCleanup(folder.cleanup)
        self.here = Path(folder.name)

    def path(self, name):
        return f"{self.name}/{name}"

    def paths(self, files):
        """Paths as they are below the directory of the test."""
        return sorted(path.split(f"{self.name}/")[1] for path in files)

    def collect(self, pieces):
        """All of a stream, whichever kind of iterator it is."""
        if not hasattr(pieces, "__aiter__"):
            return b"".join(pieces)

        async def collect():
            return b"".join([piece async for piece in pieces])

        return self.place.finish(collect())


@harness.every_way
class Transfers(Files):
    @harness.method("fs.upload_file", "fs.download_file")
    def test_bytes_arrive_as_they_were_sent(self):
        for content in [b"", b"text\n", bytes(range(256)) * 5000, b"\r\n--boundary--\r\n"]:
            self.fs.upload_file(content, self.path("file"))
            self.assertEqual(self.fs.download_file(self.path("file")), content)

    @harness.method("fs.upload_file", "fs.download_file")
    def test_files_are_streamed_from_and_to_this_machine(self):
        content = os.urandom(3_000_000)
        (self.here / "from").write_bytes(content)
        self.fs.upload_file(str(self.here / "from"), self.path("new/dir/file"))
        self.fs.download_file(self.path("new/dir/file"), str(self.here / "to"))
        self.assertEqual((self.here / "to").read_bytes(), content)

    @harness.method("fs.upload_file", "fs.download_file")
    def test_commands_see_the_files_and_their_directory(self):
        self.fs.upload_file(b"1\n", self.path("numbers"))
        self.process.exec(f"echo 2 >> {self.path('numbers')}")
        self.assertEqual(self.fs.download_file(self.path("numbers")), b"1\n2\n")
        whole = f"{self.daemon.work_dir}/{self.path('numbers')}"
        self.assertEqual(self.fs.download_file(whole), b"1\n2\n")

    @harness.method("fs.upload_file", "fs.download_file")
    def test_names_are_any_text(self):
        for name in ["with space", "quote'd;x", "percent%41+", "caf\u00e9 \u6f22\U0001f600"]:
            with self.subTest(name):
                self.fs.upload_file(name.encode(), self.path(name))
                self.assertEqual(self.fs.download_file(self.path(name)), name.encode())

    @harness.method("fs.upload_files", "fs.download_files")
    def test_several_files_travel_together(self):
        (self.here / "from").write_bytes(b"from a file")
        self.fs.upload_files(
            [
                FileUpload(b"from memory", self.path("a")),
                FileUpload(str(self.here / "from"), self.path("b/b")),
                FileUpload(b"", self.path("empty")),
            ]
        )
        wanted = [
            FileDownloadRequest(self.path("a")),
            FileDownloadRequest(self.path("none")),
            FileDownloadRequest(self.path("b/b"), str(self.here / "to")),
            FileDownloadRequest(self.path("empty")),
            FileDownloadRequest(self.path("b")),
        ]
        a, none, b, empty, directory = self.fs.download_files(wanted)
        self.assertEqual([a.result, a.error], [b"from memory", None])
        self.assertEqual([b.result, b.error], [str(self.here / "to"), None])
        self.assertEqual((self.here / "to").read_bytes(), b"from a file")
        self.assertEqual([empty.result, empty.error], [b"", None])
        for failed, reason in [(none, "file not found"), (directory, "is a directory")]:
            self.assertIsNone(failed.result)
            self.assertIn(reason, failed.error)
        if hasattr(none, "error_details"):
            details = none.error_details
            self.assertEqual([details.status_code, details.error_code], [404, "FILE_NOT_FOUND"])

    @harness.method("fs.upload_files")
    def test_a_file_that_cannot_be_written_does_not_keep_others_from_it(self):
        files = [FileUpload(b"x", self.name), FileUpload(b"good", self.path("good"))]
        error = self.assert_fails("DaytonaError", self.fs.upload_files, files)
        # SDKs up to 0.130 say no more than the status.
        self.assertIn("400" if harness.RELEASE < (0, 167) else "is a directory", str(error))
        self.assertEqual(self.fs.download_file(self.path("good")), b"good")

    @harness.method("fs.download_file")
    def test_a_missing_file_is_its_own_error(self):
        error = self.assert_fails("DaytonaFileNotFoundError", self.fs.download_file, self.path("none"))
        self.assertIn("file not found", str(error))
        self.assert_fails("DaytonaInvalidFilePathError", self.fs.download_file, self.name)

    @harness.method("fs.download_file", "fs.get_file_info")
    def test_what_is_no_file_is_its_own_error(self):
        self.process.exec(f"cd {self.name} && mkfifo fifo && ln -s loop loop && touch file")
        for name in ["fifo", "loop", "file/below", "n" * 256]:
            self.assert_fails("DaytonaInvalidFilePathError", self.fs.download_file, self.path(name))
        self.assert_fails("DaytonaInvalidFilePathError", self.fs.download_file, "/dev/zero")
        for name in ["loop", "file/below", "n" * 256, "a\0b"]:
            self.assert_fails("DaytonaInvalidFilePathError", self.fs.get_file_info, self.path(name))

    @harness.since("0.190.0")
    @harness.method("fs.download_file_stream")
    def test_a_download_is_a_stream(self):
        content = os.urandom(2_000_000)
        self.fs.upload_file(content, self.path("large"))
        seen = []
        stream = self.fs.download_file_stream(self.path("large"), on_progress=seen.append)
        self.assertEqual(self.collect(stream), content)
        self.assertEqual([seen[-1].bytes_received, seen[-1].total_bytes], [len(content), len(content)])
        with self.assertRaises(Exception) as caught:
            self.collect(self.fs.download_file_stream(self.path("none")))
        self.assertIn("file not found", str(caught.exception))

    @harness.since("0.190.0")
    @harness.method("fs.upload_file_stream")
    def test_an_upload_is_a_stream(self):
        content = os.urandom(2_000_000)
        (self.here / "from").write_bytes(content)
        seen = []
        with open(self.here / "from", "rb") as source:
            self.fs.upload_file_stream(source, self.path("large"), on_progress=seen.append)
        self.assertEqual(self.fs.download_file(self.path("large")), content)
        self.assertEqual(seen[-1].bytes_sent, len(content))
        self.fs.upload_file_stream(b"bytes", self.path("large"))
        self.assertEqual(self.fs.download_file(self.path("large")), b"bytes")


@harness.every_way
class Directories(Files):
    @harness.method("fs.create_folder", "fs.get_file_info")
    def test_a_folder_has_its_mode(self):
        self.fs.create_folder(self.path("a/b"), "700")
        info = self.fs.get_file_info(self.path("a/b"))
        self.assertTrue(info.is_dir)
        self.assertEqual([info.name, info.permissions, info.mode], ["b", "0700", "drwx------"])
        self.fs.create_folder(self.path("a/b"), "755")
        self.fs.upload_file(b"", self.path("file"))
        self.assert_fails("DaytonaBadRequestError", self.fs.create_folder, self.path("file"), "755")

    @harness.method("fs.get_file_info")
    def test_what_is_known_of_a_file(self):
        self.fs.upload_file(b"12345", self.path("file"))
        info = self.fs.get_file_info(self.path("file"))
        self.assertEqual([info.name, info.is_dir, info.size], ["file", False, 5])
        self.assertTrue(info.mode.startswith("-rw"))
        self.assertTrue(info.mod_time.endswith("+0000 UTC"))
        self.assert_fails("DaytonaFileNotFoundError", self.fs.get_file_info, self.path("none"))

    @harness.method("fs.list_files")
    def test_a_directory_is_listed(self):
        self.fs.upload_file(b"12345", self.path("b"))
        self.fs.create_folder(self.path("a"), "755")
        listed = self.fs.list_files(self.name)
        self.assertEqual([(file.name, file.is_dir) for file in listed], [("a", True), ("b", False)])
        self.assertEqual(listed[1].size, 5)
        self.assertEqual(self.fs.list_files(self.path("a")), [])
        self.assert_fails("DaytonaFileNotFoundError", self.fs.list_files, self.path("none"))

    @harness.since("0.203.0", "depth")
    @harness.method("fs.list_files")
    def test_a_directory_is_listed_with_those_below(self):
        self.fs.upload_file(b"", self.path("a/b/c"))
        listed = self.fs.list_files(self.name, depth=2)
        self.assertEqual(self.paths(file.path for file in listed), ["a", "a/b"])

    @harness.method("fs.move_files")
    def test_files_and_directories_are_moved(self):
        self.fs.upload_file(b"x", self.path("a/file"))
        self.fs.move_files(self.path("a/file"), self.path("file"))
        self.fs.move_files(self.path("a"), self.path("b"))
        self.assertEqual([file.name for file in self.fs.list_files(self.name)], ["b", "file"])
        self.assert_fails("DaytonaConflictError", self.fs.move_files, self.path("file"), self.path("b"))
        self.assert_fails("DaytonaFileNotFoundError", self.fs.move_files, self.path("none"), self.path("c"))

    @harness.method("fs.delete_file")
    def test_files_and_directories_are_deleted(self):
        self.fs.upload_file(b"x", self.path("a/file"))
        self.assert_fails("DaytonaBadRequestError", self.fs.delete_file, self.path("a"))
        self.fs.delete_file(self.path("a/file"))
        self.fs.upload_file(b"x", self.path("a/another"))
        self.fs.delete_file(self.path("a"), recursive=True)
        self.assertEqual(self.fs.list_files(self.name), [])
        self.assert_fails("DaytonaFileNotFoundError", self.fs.delete_file, self.path("a"))

    @harness.method("fs.set_file_permissions")
    def test_permissions_are_set(self):
        self.fs.upload_file(b"#!/bin/sh\necho ran\n", self.path("run.sh"))
        self.fs.set_file_permissions(self.path("run.sh"), mode="755")
        self.assertEqual(self.fs.get_file_info(self.path("run.sh")).permissions, "0755")
        self.assertEqual(self.process.exec(f"./{self.path('run.sh')}").result.strip(), "ran")
        info = self.fs.get_file_info(self.path("run.sh"))
        self.fs.set_file_permissions(self.path("run.sh"), owner=info.owner, group=info.group)
        # What is replaced keeps them.
        self.fs.upload_file(b"#!/bin/sh\necho again\n", self.path("run.sh"))
        self.assertEqual(self.process.exec(f"./{self.path('run.sh')}").result.strip(), "again")


@harness.every_way
class Searches(Files):
    def setUp(self):
        super().setUp()
        self.fs.upload_file(b"one\ntwo needle\n", self.path("src/a.py"))
        self.fs.upload_file(b"needle", self.path("src/.b.js"))
        self.fs.upload_file(b"needle\0needle", self.path("src/binary"))

    @harness.method("fs.find_files")
    def test_lines_are_found(self):
        found = self.fs.find_files(self.name, "needle")
        found = sorted((*self.paths([match.file]), match.line, match.content) for match in found)
        self.assertEqual(found, [("src/.b.js", 1, "needle"), ("src/a.py", 2, "two needle")])
        self.assertEqual(self.fs.find_files(self.path("src/a.py"), "one")[0].line, 1)
        self.assertEqual(self.fs.find_files(self.name, "t.o"), [])

    @harness.method("fs.search_files")
    def test_names_are_found(self):
        found = self.fs.search_files(self.name, "*.py").files
        self.assertEqual(self.paths(found), ["src/a.py"])
        self.assertEqual(self.paths(self.fs.search_files(self.name, "src").files), ["src"])
        self.assertEqual(self.fs.search_files(self.name, "nothing").files, [])
        # What was found is a path that can be used.
        self.assertEqual(self.fs.download_file(found[0]), b"one\ntwo needle\n")

    @harness.method("fs.replace_in_files")
    def test_text_is_replaced(self):
        files = [self.path("src/a.py"), self.path("src/none")]
        good, bad = self.fs.replace_in_files(files, "two", "2")
        self.assertEqual([good.file, good.success, good.error or None], [files[0], True, None])
        self.assertEqual([bad.file, bad.success], [files[1], False])
        self.assertIn("file not found", bad.error)
        self.assertEqual(self.fs.download_file(files[0]), b"one\n2 needle\n")
