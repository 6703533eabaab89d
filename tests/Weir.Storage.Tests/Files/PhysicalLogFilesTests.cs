using System.Diagnostics;
using Weir.Storage.Files;
using Xunit;

namespace Weir.Storage.Tests.Files;

[Trait("Category", "Integration")]
public sealed class PhysicalLogFilesTests : LogFilesConformance, IDisposable
{
    private const string Strace = "/usr/bin/strace";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-files-");
    private readonly PhysicalLogFiles _files;

    public PhysicalLogFilesTests() => _files = new PhysicalLogFiles(_directory.FullName);

    protected override ILogFiles Files => _files;

    public void Dispose()
    {
        _files.Dispose();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public void Missing_data_directory_is_refused() =>
        Assert.Throws<LogIoException>(() => new PhysicalLogFiles(Path.Combine(_directory.FullName, "no")));

    [Fact]
    public void Handle_is_the_open_file()
    {
        using var file = Files.Open("a", OpenKind.Create);
        file.Write([7], 0);
        Assert.Equal(1, RandomAccess.GetLength(file.Handle!));
    }

    [Fact]
    public void Allocated_space_is_taken_from_the_device()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads block counts with stat(1).");
        using var file = Files.Open("a", OpenKind.Create);
        file.Allocate(1 << 20);

        var (_, output) = Run("stat", ["-c", "%b", Path.Combine(_directory.FullName, "a")]);
        Assert.Equal(2048, long.Parse(output, System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Write_to_a_full_device_says_so_and_its_sync_fails()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "Needs /dev/full.");
        using var devices = new PhysicalLogFiles("/dev");
        using var full = devices.Open("full", OpenKind.Write);

        var failure = Assert.Throws<LogIoException>(() => full.Write([1], 0));
        Assert.True(failure.IsDiskFull);
        Assert.Equal("full", failure.Path);
        Assert.Equal("pwrite", failure.Operation);
        Assert.False(Assert.Throws<LogIoException>(full.Sync).IsDiskFull);
    }

    [Fact]
    public void Errors_of_the_device_reach_the_caller() => RunUnderStrace(
        nameof(Injected_errors_are_thrown),
        "inject=fdatasync,fsync,syncfs:error=EIO", "inject=fallocate:error=ENOSPC");

    [Fact]
    public void Interrupted_calls_are_repeated() => RunUnderStrace(
        nameof(Interrupted_calls_succeed), "inject=fdatasync,fsync,syncfs,fallocate:error=EINTR:when=1");

    [Fact]
    public void File_system_without_reservation_still_extends_the_file() => RunUnderStrace(
        nameof(Allocation_without_reservation_reads_zeros), "inject=fallocate:error=EOPNOTSUPP");

    [Fact(Explicit = true)]
    public void Injected_errors_are_thrown()
    {
        using var file = Files.Open("a", OpenKind.Create);
        file.Write([1], 0);

        var failure = Assert.Throws<LogIoException>(file.Sync);
        Assert.Equal("fdatasync", failure.Operation);
        Assert.False(failure.IsDiskFull);
        Assert.Throws<LogIoException>(() => Files.SyncDirectory(""));
        Assert.Throws<LogIoException>(Files.SyncAll);
        Assert.True(Assert.Throws<LogIoException>(() => file.Allocate(4096)).IsDiskFull);
    }

    [Fact(Explicit = true)]
    public void Interrupted_calls_succeed() => Sync_of_files_directories_and_all_succeeds();

    [Fact(Explicit = true)]
    public void Allocation_without_reservation_reads_zeros() =>
        Allocated_space_reads_zeros_and_keeps_what_was_written();

    private static void RunUnderStrace(string test, params string[] faults)
    {
        Assert.SkipUnless(File.Exists(Strace), "Needs strace.");
        var assembly = typeof(PhysicalLogFilesTests).Assembly.Location;
        var arguments = new List<string> { "-f", "-qq", "-o", "/dev/null" };
        foreach (var fault in faults)
        {
            arguments.AddRange(["-e", fault]);
        }

        arguments.AddRange([
            Path.ChangeExtension(assembly, null), "-explicit", "only", "-noColor", "-method", $"{typeof(PhysicalLogFilesTests).FullName}.{test}",
        ]);
        var (exitCode, output) = Run(Strace, arguments);
        Assert.SkipWhen(output.Contains("ptrace", StringComparison.Ordinal), "Tracing is not allowed here.");
        Assert.True(exitCode == 0, output);
        Assert.Contains("Total: 1, Errors: 0, Failed: 0", output, StringComparison.Ordinal);
    }

    private static (int ExitCode, string Output) Run(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
