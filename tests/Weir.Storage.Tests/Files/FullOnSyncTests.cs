using Microsoft.Win32.SafeHandles;
using Weir.Storage.Files;
using Weir.Storage.Files.Platform;
using Xunit;

namespace Weir.Storage.Tests.Files;

/// <summary>A file system that finds out at the sync that it is full.</summary>
[Trait("Category", "Integration")]
public sealed class FullOnSyncTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-files-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Sync_that_fails_for_lack_of_space_is_not_to_be_tried_again()
    {
        using var files = new PhysicalLogFiles(_directory.FullName, new FullOnSync(PlatformFiles.Current));
        using var file = files.Open("a", OpenKind.Create);
        Assert.False(Assert.Throws<LogIoException>(file.Sync).IsDiskFull);
        Assert.False(Assert.Throws<LogIoException>(() => files.SyncDirectory("")).IsDiskFull);
        if (files.CanSyncAll)
        {
            Assert.False(Assert.Throws<LogIoException>(files.SyncAll).IsDiskFull);
        }
    }

    private sealed class FullOnSync(IPlatformFiles inner) : IPlatformFiles
    {
        private const int Error = 28;

        public bool CanSyncAll => inner.CanSyncAll;

        public string SyncName => inner.SyncName;

        public int Sync(SafeFileHandle file) => Error;

        public int SyncDirectory(string fullPath) => Error;

        public int OpenRoot(string fullPath, out SafeFileHandle? root) => inner.OpenRoot(fullPath, out root);

        public int SyncAll(SafeFileHandle root) => Error;

        public int Allocate(SafeFileHandle file, long length) => inner.Allocate(file, length);

        public int Rename(string from, string to) => inner.Rename(from, to);

        public SafeFileHandle? TryOpenLocked(string fullPath) => inner.TryOpenLocked(fullPath);

        public bool IsDiskFull(int error) => inner.IsDiskFull(error) || error == Error;
    }
}
