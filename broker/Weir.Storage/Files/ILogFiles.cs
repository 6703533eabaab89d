using Microsoft.Win32.SafeHandles;

namespace Weir.Storage.Files;

/// <summary>
/// Every file access of the broker below one data directory. Two implementations: <c>PhysicalLogFiles</c> (the machine's
/// file system) and the simulated disk of the tests, which loses what was not synced.
/// </summary>
/// <remarks>
/// Paths are relative to the data directory, with '/' between parts; a path that is rooted or holds ".." is refused with
/// <see cref="ArgumentException"/>. Failures of the device are <see cref="LogIoException"/>. Members may be called from any
/// thread; one <see cref="ILogFile"/> has one writer at a time.
/// </remarks>
public interface ILogFiles
{
    /// <summary>Opens a file. <see cref="OpenKind.Create"/> fails if it exists; the other kinds fail if it does not.</summary>
    /// <remarks>A created file is durable only after <see cref="ILogFile.Sync"/> and <see cref="SyncDirectory"/>.</remarks>
    ILogFile Open(string path, OpenKind kind);

    /// <summary>Whether a file stands at <paramref name="path"/>.</summary>
    bool FileExists(string path);

    /// <summary>Names (not paths) of the files directly in a directory, sorted ordinally; empty if it does not exist.</summary>
    IReadOnlyList<string> ListFiles(string directory);

    /// <summary>Names of the directories directly in a directory, sorted ordinally; empty if it does not exist.</summary>
    IReadOnlyList<string> ListDirectories(string directory);

    /// <summary>Creates a directory and its missing parents. Durable after <see cref="SyncDirectory"/> of each parent.</summary>
    void CreateDirectory(string directory);

    /// <summary>Deletes an empty directory.</summary>
    void DeleteDirectory(string directory);

    /// <summary>Unlinks a file; the name is gone durably after <see cref="SyncDirectory"/>.</summary>
    void Delete(string path);

    /// <summary>Renames within one file system, replacing the target; durable after <see cref="SyncDirectory"/>.</summary>
    void Rename(string from, string to);

    /// <summary>Makes created, renamed and deleted names in this directory durable ("" is the data directory itself).</summary>
    void SyncDirectory(string directory);

    /// <summary>
    /// Makes everything written to any file of this data directory durable in one call, where the platform can
    /// (<see cref="CanSyncAll"/>). With many dirty files this costs one journal commit instead of one each.
    /// </summary>
    void SyncAll();

    /// <summary>Whether <see cref="SyncAll"/> is supported and reports the errors of the device.</summary>
    bool CanSyncAll { get; }

    /// <summary>Bytes that an unprivileged process may still allocate on the file system.</summary>
    long FreeBytes { get; }
}

/// <summary>How <see cref="ILogFiles.Open"/> opens a file.</summary>
public enum OpenKind
{
    /// <summary>Create a new file for reading and writing; it is an error if it exists.</summary>
    Create,

    /// <summary>Open an existing file for reading and writing.</summary>
    Write,

    /// <summary>Open an existing file for reading.</summary>
    Read,
}

/// <summary>An open file. Dispose closes it and syncs nothing.</summary>
public interface ILogFile : IDisposable
{
    /// <summary>The path it was opened with.</summary>
    string Path { get; }

    /// <summary>The file's length in bytes, preallocated space included.</summary>
    long Length { get; }

    /// <summary>
    /// Reads at an absolute position until <paramref name="buffer"/> is full or the file ends; returns the bytes read.
    /// </summary>
    int Read(Span<byte> buffer, long position);

    /// <summary>Writes all of <paramref name="bytes"/> at an absolute position, extending the file where needed.</summary>
    /// <exception cref="LogIoException">The device refused; an unknown part of the bytes may have been written.</exception>
    void Write(ReadOnlySpan<byte> bytes, long position);

    /// <summary>
    /// Reserves space so that the file is at least <paramref name="length"/> bytes long and reads zeros where nothing was
    /// written. Where the file system can reserve, a later <see cref="Write"/> below it does not fail for lack of space.
    /// </summary>
    /// <exception cref="LogIoException">With <see cref="LogIoException.IsDiskFull"/> when there is no space.</exception>
    void Allocate(long length);

    /// <summary>Cuts the file to <paramref name="length"/> bytes.</summary>
    void Truncate(long length);

    /// <summary>
    /// Makes the file's content and length durable (fdatasync or the platform's equal). After a failure the content is
    /// unknown: callers stop using the file; a second call must not be taken as success.
    /// </summary>
    void Sync();

    /// <summary>The operating system's handle for file-to-socket sends; null on the simulated disk.</summary>
    SafeFileHandle? Handle { get; }
}
