using Microsoft.Win32.SafeHandles;
using Weir.Storage.Files;

namespace Weir.Testing.Support.Disk;

/// <summary>An open file of a <see cref="SimulatedDisk"/>; it follows the file through renames, as a descriptor does.</summary>
internal sealed class SimulatedFile(DiskState disk, FileNode node, string path, bool isWritable) : ILogFile
{
    private bool _isClosed;

    public string Path => path;

    public SafeFileHandle? Handle => null;

    public long Length
    {
        get
        {
            lock (disk.Gate)
            {
                RequireOpen();
                return node.Length;
            }
        }
    }

    public int Read(Span<byte> buffer, long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        lock (disk.Gate)
        {
            RequireOpen();
            return node.Read(buffer, position);
        }
    }

    public void Write(ReadOnlySpan<byte> bytes, long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        lock (disk.Gate)
        {
            RequireWritable();
            if (bytes.Length > 0)
            {
                var step = disk.Steps.Pass(DiskOperation.Write, path);
                disk.Space.Write(node, step.Number, bytes, position, path);
            }
        }
    }

    public void Allocate(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        lock (disk.Gate)
        {
            RequireWritable();
            var step = disk.Steps.Pass(DiskOperation.Allocate, path);
            disk.Space.Allocate(node, step.Number, length, path);
        }
    }

    public void Truncate(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        lock (disk.Gate)
        {
            RequireWritable();
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, node.Length);
            var step = disk.Steps.Pass(DiskOperation.Truncate, path);
            disk.Space.SetLength(node, step.Number, length);
        }
    }

    public void Sync()
    {
        lock (disk.Gate)
        {
            RequireWritable();
            var fails = disk.Steps.PassSync(DiskOperation.Sync, path);
            disk.Space.Sync(node, fails);
            if (fails)
            {
                throw DiskState.SyncFailure("fdatasync", path);
            }
        }
    }

    public void Dispose()
    {
        lock (disk.Gate)
        {
            if (!_isClosed)
            {
                _isClosed = true;
                disk.Space.Close(node);
            }
        }
    }

    private void RequireOpen()
    {
        disk.Steps.RequirePower();
        ObjectDisposedException.ThrowIf(_isClosed, this);
    }

    private void RequireWritable()
    {
        RequireOpen();
        if (!isWritable)
        {
            throw new InvalidOperationException($"'{path}' was opened for reading.");
        }
    }
}
