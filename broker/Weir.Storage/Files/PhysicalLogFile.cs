using Microsoft.Win32.SafeHandles;
using Weir.Storage.Files.Platform;

namespace Weir.Storage.Files;

/// <summary>A file of <see cref="PhysicalLogFiles"/>: positional reads and writes on one operating-system handle.</summary>
internal sealed class PhysicalLogFile : ILogFile
{
    private readonly SafeFileHandle _handle;
    private readonly IPlatformFiles _platform;
    private readonly bool _isWritable;

    public PhysicalLogFile(IPlatformFiles platform, SafeFileHandle handle, string path, bool isWritable)
    {
        _platform = platform;
        _handle = handle;
        _isWritable = isWritable;
        Path = path;
    }

    public string Path { get; }

    public SafeFileHandle? Handle => _handle;

    public long Length
    {
        get
        {
            try
            {
                return RandomAccess.GetLength(_handle);
            }
            catch (Exception e) when (LogIoFailure.IsDevice(e))
            {
                throw LogIoFailure.From(_platform, "fstat", Path, e);
            }
        }
    }

    public int Read(Span<byte> buffer, long position)
    {
        try
        {
            var total = 0;
            while (total < buffer.Length)
            {
                var read = RandomAccess.Read(_handle, buffer[total..], position + total);
                if (read == 0)
                {
                    break;
                }

                total += read;
            }

            return total;
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e))
        {
            throw LogIoFailure.From(_platform, "pread", Path, e);
        }
    }

    public void Write(ReadOnlySpan<byte> bytes, long position)
    {
        RequireWritable();
        try
        {
            // Continues after short writes and signals by itself.
            RandomAccess.Write(_handle, bytes, position);
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e))
        {
            throw LogIoFailure.From(_platform, "pwrite", Path, e);
        }
    }

    public void Allocate(long length)
    {
        RequireWritable();
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length == 0)
        {
            return;
        }

        try
        {
            Check("fallocate", _platform.Allocate(_handle, length));
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e))
        {
            throw LogIoFailure.From(_platform, "fallocate", Path, e);
        }
    }

    public void Truncate(long length)
    {
        RequireWritable();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e))
        {
            throw LogIoFailure.From(_platform, "ftruncate", Path, e);
        }
    }

    public void Sync()
    {
        RequireWritable();
        var error = _platform.Sync(_handle);
        if (error != 0)
        {
            throw LogIoFailure.FromSync(_platform.SyncName, Path, error);
        }
    }

    public void Dispose() => _handle.Dispose();

    // Windows refuses to flush a read-only handle; refusing everywhere keeps that from being found there first.
    private void RequireWritable()
    {
        if (!_isWritable)
        {
            throw new InvalidOperationException($"'{Path}' was opened for reading.");
        }
    }

    private void Check(string operation, int error)
    {
        if (error != 0)
        {
            throw LogIoFailure.From(_platform, operation, Path, error);
        }
    }
}
