using System.Diagnostics;
using Weir.Storage.Files;
using Xunit;

namespace Weir.Storage.Tests.Files;

[Trait("Category", "Integration")]
public sealed class DataDirectoryLockTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-lock-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Second_broker_in_the_same_process_is_refused_and_told_the_holder()
    {
        using var first = DataDirectoryLock.Acquire(_directory.FullName);

        var refusal = Assert.Throws<DataDirectoryInUseException>(() => DataDirectoryLock.Acquire(_directory.FullName));
        Assert.Equal(_directory.FullName, refusal.Directory);
        Assert.Equal(Environment.ProcessId, refusal.HolderProcessId);
        Assert.Contains(_directory.FullName, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Released_directory_can_be_locked_again()
    {
        DataDirectoryLock.Acquire(_directory.FullName).Dispose();
        DataDirectoryLock.Acquire(_directory.FullName).Dispose();
    }

    [Fact]
    public void Two_directories_do_not_conflict()
    {
        using var first = DataDirectoryLock.Acquire(_directory.CreateSubdirectory("a").FullName);
        using var second = DataDirectoryLock.Acquire(_directory.CreateSubdirectory("b").FullName);
    }

    [Fact]
    public void Missing_directory_is_an_io_failure() =>
        Assert.Throws<LogIoException>(() => DataDirectoryLock.Acquire(Path.Combine(_directory.FullName, "no")));

    [Fact]
    public void Directory_held_by_another_process_is_refused_until_that_process_ends()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/flock"), "Needs flock(1).");
        using var other = StartFlock("echo held; cat");
        Assert.Equal("held", other.StandardOutput.ReadLine());

        var refusal = Assert.Throws<DataDirectoryInUseException>(() => DataDirectoryLock.Acquire(_directory.FullName));
        Assert.Null(refusal.HolderProcessId);

        other.StandardInput.Close();
        other.WaitForExit();
        DataDirectoryLock.Acquire(_directory.FullName).Dispose();
    }

    [Fact]
    public void Another_process_cannot_take_a_held_directory()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/flock"), "Needs flock(1).");
        using var held = DataDirectoryLock.Acquire(_directory.FullName);

        using var other = StartFlock("echo held");
        Assert.Null(other.StandardOutput.ReadLine());
        other.WaitForExit();
        Assert.Equal(1, other.ExitCode);
    }

    private Process StartFlock(string command) => Process.Start(
        new ProcessStartInfo(
            "/usr/bin/flock",
            ["-n", Path.Combine(_directory.FullName, DataDirectoryLock.LockFileName), "sh", "-c", command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
}
