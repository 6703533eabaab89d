using System.Buffers.Binary;
using System.IO.Hashing;
using Weir.Storage.Files;

namespace Weir.Storage.Recovery;

/// <summary>What a log knew to be durable.</summary>
/// <param name="Sequence">Grows with each write; the newer of two whole slots counts.</param>
/// <param name="RecoveryOffset">Everything below it was synced: damage there is never a torn write.</param>
/// <param name="LogStartOffset">First offset that is kept.</param>
/// <param name="IsClean">Whether the log was closed in order: nothing was written after it.</param>
internal readonly record struct Checkpoint(long Sequence, long RecoveryOffset, long LogStartOffset, bool IsClean);

/// <summary>
/// The checkpoint in two slots that are written in turn, so that a torn write leaves the other one. What it says was true
/// before it was written: it may reach the disk late, never wrongly.
/// </summary>
internal sealed class CheckpointFile : IDisposable
{
    private const string FileName = "checkpoint";
    private const int SlotStride = 4096;
    private const int SlotBytes = 48;
    private const ulong Magic = 0x5450_4B43_5249_4557; // "WEIRCKPT" in file order
    private readonly ILogFile _file;

    private CheckpointFile(ILogFile file) => _file = file;

    /// <summary>The last one that was written or read; default if there was no whole slot.</summary>
    public Checkpoint Current { get; private set; }

    /// <summary>Opens the file of a log, and creates it where it is missing.</summary>
    public static CheckpointFile Open(ILogFiles files, string directory)
    {
        var path = $"{directory}/{FileName}";
        var exists = files.FileExists(path);
        var checkpoint = new CheckpointFile(files.Open(path, exists ? OpenKind.Write : OpenKind.Create));
        if (exists)
        {
            checkpoint.Current = Newer(checkpoint.ReadSlot(0), checkpoint.ReadSlot(1));
        }
        else
        {
            checkpoint.Reserve();
        }

        return checkpoint;
    }

    /// <summary>Writes the next slot; durable some time later, or with <paramref name="sync"/> on return.</summary>
    public void Write(long recoveryOffset, long logStartOffset, bool isClean, bool sync)
    {
        var next = new Checkpoint(Current.Sequence + 1, recoveryOffset, logStartOffset, isClean);
        Span<byte> slot = stackalloc byte[SlotBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(slot, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(slot[8..], next.Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(slot[16..], next.RecoveryOffset);
        BinaryPrimitives.WriteInt64LittleEndian(slot[24..], next.LogStartOffset);
        BinaryPrimitives.WriteInt64LittleEndian(slot[32..], next.IsClean ? 1 : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(slot[40..], XxHash3.HashToUInt64(slot[..40]));
        _file.Write(slot, next.Sequence % 2 * SlotStride);
        if (sync)
        {
            _file.Sync();
        }

        Current = next;
    }

    public void Dispose() => _file.Dispose();

    /// <summary>A full file system must not keep a log from being cut: that needs a write to either slot first.</summary>
    private void Reserve()
    {
        try
        {
            _file.Allocate(SlotStride + SlotBytes);
        }
        catch (LogIoException e) when (e.IsDiskFull)
        {
            // It is full already; what can be written will be.
        }
    }

    private static Checkpoint Newer(Checkpoint one, Checkpoint other) => one.Sequence > other.Sequence ? one : other;

    private Checkpoint ReadSlot(int index)
    {
        Span<byte> slot = stackalloc byte[SlotBytes];
        if (_file.Read(slot, index * SlotStride) != SlotBytes
            || BinaryPrimitives.ReadUInt64LittleEndian(slot) != Magic
            || BinaryPrimitives.ReadUInt64LittleEndian(slot[40..]) != XxHash3.HashToUInt64(slot[..40]))
        {
            return default;
        }

        return new Checkpoint(
            BinaryPrimitives.ReadInt64LittleEndian(slot[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[32..]) != 0);
    }
}
