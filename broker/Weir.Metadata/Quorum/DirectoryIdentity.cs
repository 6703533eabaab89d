using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Microsoft.Extensions.Logging;
using Weir.Metadata.Control;
using Weir.Storage.Files;

namespace Weir.Metadata.Quorum;

/// <summary>
/// What a data directory remembers of whose it is: node id, cluster, an identity of its own, and how the broker ended last.
/// A wiped directory has another identity, so that nobody takes it for the one that voted and acknowledged.
/// </summary>
public sealed class DirectoryIdentity
{
    private const string FileName = "identity";
    private const string TemporaryName = "identity.tmp";
    private const ulong Magic = 0x5449_4E45_4449_5257; // "WRIDENIT" in file order
    private const int FixedBytes = 64;
    private readonly ILogFiles _files;
    private readonly Guid _bootId;
    private bool _isClean;

    private DirectoryIdentity(ILogFiles files, int nodeId, Guid bootId)
    {
        _files = files;
        _bootId = bootId;
        NodeId = nodeId;
    }

    /// <summary>The node that the directory belongs to.</summary>
    public int NodeId { get; private set; }

    /// <summary>The directory's own identity.</summary>
    public Guid DirectoryId { get; private set; }

    /// <summary>The cluster that it belongs to; empty before it has joined one.</summary>
    public string ClusterId { get; private set; } = string.Empty;

    /// <summary>
    /// Whether what was not synced may be lost: the broker did not end in order, and the machine has been started anew since.
    /// After a kill of the process alone the page cache still has it. It stays so until the broker ends in order: a process
    /// that dies before it could say so leaves it to the next one.
    /// </summary>
    public bool IsLossyRestart { get; private set; }

    /// <summary>Reads the identity of a directory, or gives it one.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="nodeId">The node that wants to use it.</param>
    /// <param name="bootId">Differs after each start of the machine.</param>
    /// <param name="random">Where a new identity comes from.</param>
    /// <exception cref="MetadataException">It belongs to another node, or is damaged.</exception>
    public static DirectoryIdentity Open(ILogFiles files, int nodeId, Guid bootId, RandomBytes random)
    {
        var identity = new DirectoryIdentity(files, nodeId, bootId);
        if (files.FileExists(FileName))
        {
            identity.Load(nodeId);
            identity.Save();
        }
        else
        {
            identity.Renew(random);
        }

        return identity;
    }

    /// <summary>
    /// Opens the metadata of the directory. Where it is damaged and the node has peers, it is discarded, and the directory
    /// becomes a new one: its votes and acknowledgements are forgotten with it. The partitions' logs stay.
    /// </summary>
    /// <exception cref="MetadataException">It is damaged and there are no peers that could have it.</exception>
    public QuorumStore OpenStore(bool hasPeers, ILogger logger, MetadataLogOptions options)
    {
        try
        {
            var store = QuorumStore.Open(_files, logger, options);
            if (hasPeers || !store.HasOrphanLogs)
            {
                return store;
            }

            store.Dispose();
            throw new MetadataException(
                $"'{options.PartitionsDirectory}' holds records, but there is no metadata: restore 'metadata' from a backup");
        }
        catch (MetadataException e) when (hasPeers && e is not UnsupportedMetadataException)
        {
            MetadataEvents.MetadataDiscarded(logger, e.Message);
            Renew(options.Random);
            QuorumStore.Discard(_files);
            return QuorumStore.Open(_files, logger, options);
        }
    }

    /// <summary>Notes the cluster, durably.</summary>
    /// <exception cref="MetadataException">It belongs to another one.</exception>
    public void Join(string clusterId)
    {
        if (ClusterId == clusterId)
        {
            return;
        }

        if (ClusterId.Length > 0)
        {
            throw new MetadataException($"this data directory belongs to cluster {ClusterId}, and its peers to {clusterId}");
        }

        ClusterId = clusterId;
        Save();
    }

    /// <summary>Notes that the broker has ended in order: everything is synced.</summary>
    public void MarkClean()
    {
        _isClean = true;
        Save();
    }

    /// <summary>Gives the directory a new identity, durably.</summary>
    private void Renew(RandomBytes random)
    {
        DirectoryId = RandomId.NewGuid(random);
        Save();
    }

    private void Load(int nodeId)
    {
        using var file = _files.Open(FileName, OpenKind.Read);
        var content = new byte[file.Length];
        if (file.Read(content, 0) != content.Length || content.Length < FixedBytes
            || BinaryPrimitives.ReadUInt64LittleEndian(content) != XxHash3.HashToUInt64(content.AsSpan(8))
            || BinaryPrimitives.ReadUInt64LittleEndian(content.AsSpan(8)) != Magic)
        {
            throw new MetadataException(
                $"the file '{FileName}' of the data directory is damaged: wipe the directory if its peers have its data");
        }

        NodeId = BinaryPrimitives.ReadInt32LittleEndian(content.AsSpan(16));
        DirectoryId = new Guid(content.AsSpan(24, 16), bigEndian: true);
        var wasClean = content[20] != 0;
        var bootId = new Guid(content.AsSpan(40, 16), bigEndian: true);
        ClusterId = Encoding.UTF8.GetString(content.AsSpan(FixedBytes));
        IsLossyRestart = content[21] != 0 || (!wasClean && bootId != _bootId);
        if (NodeId != nodeId)
        {
            throw new MetadataException($"this data directory belongs to node {NodeId}, not to node {nodeId}");
        }
    }

    private void Save()
    {
        var cluster = Encoding.UTF8.GetBytes(ClusterId);
        var content = new byte[FixedBytes + cluster.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(content.AsSpan(8), Magic);
        BinaryPrimitives.WriteInt32LittleEndian(content.AsSpan(16), NodeId);
        content[20] = _isClean ? (byte)1 : (byte)0;
        content[21] = IsLossyRestart && !_isClean ? (byte)1 : (byte)0;
        DirectoryId.TryWriteBytes(content.AsSpan(24), bigEndian: true, out _);
        _bootId.TryWriteBytes(content.AsSpan(40), bigEndian: true, out _);
        cluster.CopyTo(content, FixedBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(content, XxHash3.HashToUInt64(content.AsSpan(8)));
        if (_files.FileExists(TemporaryName))
        {
            _files.Delete(TemporaryName);
        }

        using (var file = _files.Open(TemporaryName, OpenKind.Create))
        {
            file.Write(content, 0);
            file.Sync();
        }

        _files.Rename(TemporaryName, FileName);
        _files.SyncDirectory(string.Empty);
    }
}
