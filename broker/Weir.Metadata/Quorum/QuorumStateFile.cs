using System.Buffers.Binary;
using System.IO.Hashing;
using Weir.Storage.Files;

namespace Weir.Metadata.Quorum;

/// <summary>What a member of the quorum must never forget.</summary>
/// <param name="Epoch">The highest epoch it has seen.</param>
/// <param name="VotedNodeId">Whom it gave its vote in that epoch; -1 for nobody.</param>
/// <param name="VotedDirectoryId">That candidate's data directory.</param>
public readonly record struct QuorumState(int Epoch, int VotedNodeId, Guid VotedDirectoryId)
{
    /// <summary>Before the first epoch.</summary>
    public static QuorumState Initial { get; } = new(0, -1, Guid.Empty);
}

/// <summary>
/// Epoch and vote on stable storage, in two slots that are written in turn so that a torn write leaves the other one. Each
/// write is synced before it returns: a vote is given only after it.
/// </summary>
internal sealed class QuorumStateFile : IDisposable
{
    private const string FileName = "quorum-state";
    private const string TemporaryName = "quorum-state.tmp";
    private const int SlotStride = 4096;
    private const int SlotBytes = 56;
    private const ulong Magic = 0x4D55_524F_5551_5257; // "WRQUORUM" in file order
    private readonly ILogFile _file;
    private long _sequence;

    private QuorumStateFile(ILogFile file) => _file = file;

    /// <summary>What was written last.</summary>
    public QuorumState Current { get; private set; } = QuorumState.Initial;

    /// <summary>Whether there is a file of which no slot is whole: what it said is lost.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>Opens the file, and creates it where it is missing.</summary>
    public static QuorumStateFile Open(ILogFiles files, string directory)
    {
        var path = $"{directory}/{FileName}";
        if (!files.FileExists(path))
        {
            Create(files, directory, path);
        }

        var opened = new QuorumStateFile(files.Open(path, OpenKind.Write));
        opened.Load();
        return opened;
    }

    /// <summary>Writes a state; durable on return unless a test leaves the sync out.</summary>
    public void Write(QuorumState state, bool sync)
    {
        _sequence++;
        Span<byte> slot = stackalloc byte[SlotBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(slot, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(slot[8..], _sequence);
        BinaryPrimitives.WriteInt64LittleEndian(slot[16..], state.Epoch);
        BinaryPrimitives.WriteInt64LittleEndian(slot[24..], state.VotedNodeId);
        state.VotedDirectoryId.TryWriteBytes(slot[32..], bigEndian: true, out _);
        BinaryPrimitives.WriteUInt64LittleEndian(slot[48..], XxHash3.HashToUInt64(slot[..48]));
        _file.Write(slot, _sequence % 2 * SlotStride);
        if (sync)
        {
            _file.Sync();
        }

        Current = state;
        IsDamaged = false;
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Beside its name first: a file that has the name and no whole slot was damaged, not cut off in its creation.</summary>
    private static void Create(ILogFiles files, string directory, string path)
    {
        var temporary = $"{directory}/{TemporaryName}";
        if (files.FileExists(temporary))
        {
            files.Delete(temporary);
        }

        using (var created = new QuorumStateFile(files.Open(temporary, OpenKind.Create)))
        {
            created.Write(QuorumState.Initial, sync: true);
        }

        files.Rename(temporary, path);
        files.SyncDirectory(directory);
    }

    private void Load()
    {
        var found = false;
        Span<byte> slot = stackalloc byte[SlotBytes];
        for (var index = 0; index < 2; index++)
        {
            if (_file.Read(slot, index * SlotStride) != SlotBytes
                || BinaryPrimitives.ReadUInt64LittleEndian(slot) != Magic
                || BinaryPrimitives.ReadUInt64LittleEndian(slot[48..]) != XxHash3.HashToUInt64(slot[..48]))
            {
                continue;
            }

            var sequence = BinaryPrimitives.ReadInt64LittleEndian(slot[8..]);
            if (!found || sequence > _sequence)
            {
                found = true;
                _sequence = sequence;
                Current = new QuorumState(
                    (int)BinaryPrimitives.ReadInt64LittleEndian(slot[16..]),
                    (int)BinaryPrimitives.ReadInt64LittleEndian(slot[24..]),
                    new Guid(slot[32..48], bigEndian: true));
            }
        }

        IsDamaged = !found;
    }
}
