using Microsoft.Win32.SafeHandles;
using Weir.Storage.Files;
using Weir.Testing.Support;

namespace Weir.Storage.Tests.Log;

/// <summary>Counts what is read from a disk.</summary>
internal sealed class CountingFiles(SimulatedDisk disk) : ILogFiles
{
    public long BytesRead { get; private set; }

    public bool CanSyncAll => disk.CanSyncAll;

    public long FreeBytes => disk.FreeBytes;

    public ILogFile Open(string path, OpenKind kind) => new CountingFile(this, disk.Open(path, kind));

    public bool FileExists(string path) => disk.FileExists(path);

    public IReadOnlyList<string> ListFiles(string directory) => disk.ListFiles(directory);

    public IReadOnlyList<string> ListDirectories(string directory) => disk.ListDirectories(directory);

    public void CreateDirectory(string directory) => disk.CreateDirectory(directory);

    public void DeleteDirectory(string directory) => disk.DeleteDirectory(directory);

    public void Delete(string path) => disk.Delete(path);

    public void Rename(string from, string to) => disk.Rename(from, to);

    public void SyncDirectory(string directory) => disk.SyncDirectory(directory);

    public void SyncAll() => disk.SyncAll();

    private sealed class CountingFile(CountingFiles counter, ILogFile inner) : ILogFile
    {
        public string Path => inner.Path;

        public long Length => inner.Length;

        public SafeFileHandle? Handle => inner.Handle;

        public int Read(Span<byte> buffer, long position)
        {
            var read = inner.Read(buffer, position);
            counter.BytesRead += read;
            return read;
        }

        public void Write(ReadOnlySpan<byte> bytes, long position) => inner.Write(bytes, position);

        public void Allocate(long length) => inner.Allocate(length);

        public void Truncate(long length) => inner.Truncate(length);

        public void Sync() => inner.Sync();

        public void Dispose() => inner.Dispose();
    }
}
