using Weir.Metadata.Quorum;
using Weir.Metadata.Records;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>What a member of the quorum keeps: appended, durable, committed, cut, and taken over from its leader.</summary>
[Trait("Category", "Unit")]
public sealed class QuorumStoreTests
{
    private static readonly MetadataLogOptions Roomy = Tight() with { RecordsPerSnapshot = 1000 };
    private static readonly QuorumState Voted = new(1, NodeId, Directory(NodeId));
    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void New_directory_knows_nothing()
    {
        using var store = OpenStore(_disk);
        Assert.True(store.IsEmpty);
        Assert.Equal((0L, 0L, -1, 0), (store.StartOffset, store.EndOffset, store.LastEpoch, store.Voters.Count));
        Assert.Equal(QuorumState.Initial, store.State);
        Assert.Same(MetadataImage.Empty, store.Committed);
    }

    [Fact]
    public void Appended_change_is_decided_on_at_once_and_shown_only_when_committed()
    {
        using var store = OpenInEpoch1();
        store.Append(1, [Cluster(), Topic(TopicId(1), "a")], 0, NowMs);
        Assert.Equal((2L, 0L, 0L), (store.Latest.NextOffset, store.Committed.NextOffset, store.DurableOffset));
        Assert.True(store.NeedsFlush);

        Assert.True(store.Flush(NowMs));
        Assert.False(store.NeedsFlush);
        Assert.Equal((2L, 0L), (store.DurableOffset, store.Committed.NextOffset));

        Assert.False(store.Commit(1));
        Assert.True(store.Commit(2));
        Assert.Equal(Print(store.Latest), Print(store.Committed));
        Assert.False(store.Commit(2));
    }

    [Fact]
    public void Durable_changes_are_found_again_without_being_taken_for_committed()
    {
        var expected = Fill(_disk, 2, Roomy);
        using var again = OpenStore(_disk.CrashImage(1, CrashMode.AllLost), Roomy);
        Assert.Equal(expected, Print(again.Latest));
        Assert.Equal(0, again.Committed.NextOffset);
        Assert.Equal((1, Voted), (again.LastEpoch, again.State));
        Assert.True(again.Commit(again.EndOffset));
        Assert.Equal(expected, Print(again.Committed));
    }

    [Fact]
    public void Change_that_contradicts_the_image_is_not_appended_even_in_part()
    {
        using var store = OpenInEpoch1();
        Write(store, Cluster());
        Assert.Throws<MetadataException>(() => store.Append(1, [Topic(TopicId(1), "a"), Cluster()], 1, NowMs));
        Assert.Equal((1L, 1L, false), (store.EndOffset, store.Latest.NextOffset, store.NeedsFlush));
    }

    [Fact]
    public void Voters_follow_the_log_committed_or_not_and_go_back_with_it()
    {
        using var store = OpenInEpoch1();
        Write(store, Cluster(), Voters(1));
        store.Append(1, [Voters(1, 2)], 2, NowMs);
        Assert.Equal((2, 3L), (store.Voters.Count, store.VotersOffset));
        Assert.Equal(1, store.Committed.Voters.Count);

        store.TruncateTo(2);
        Assert.Equal((1, 2L), (store.Voters.Count, store.VotersOffset));
    }

    [Fact]
    public void Voters_are_found_again_in_a_snapshot_alone()
    {
        using (var store = OpenInEpoch1())
        {
            Write(store, Cluster(), Voters(1, 2), Topic(TopicId(1), "a"));
            Assert.Equal(3, store.SnapshotOffset);
        }

        using var again = OpenStore(_disk);
        Assert.Equal((2, 3L), (again.Voters.Count, again.VotersOffset));
        Assert.True(again.Voters.Contains(2, Directory(2)));
        Assert.False(again.Voters.Contains(2, Directory(2, wiped: 1)));
    }

    [Fact]
    public void Replica_of_a_log_says_the_same()
    {
        Fill(_disk, 5, Roomy);
        using var leader = OpenStore(_disk, Roomy);
        using var follower = OpenStore(new SimulatedDisk());
        var behind = follower.EndOffset;
        Assert.Equal(0, leader.StartOffset);
        while (behind < leader.EndOffset)
        {
            Assert.True(follower.AppendReplica(leader.Read(behind, 300)));
            Assert.True(follower.EndOffset > behind);
            behind = follower.EndOffset;
        }

        Assert.Equal(Print(leader.Latest), Print(follower.Latest));
        Assert.Equal(leader.LastEpoch, follower.LastEpoch);
        Assert.Equal(leader.FindEpochEnd(1), follower.FindEpochEnd(1));
    }

    [Fact]
    public void Replica_does_not_take_batches_that_are_damaged_cut_or_do_not_follow()
    {
        Fill(_disk, 3, Roomy);
        using var leader = OpenStore(_disk, Roomy);
        var all = leader.Read(0, 1 << 20);
        using var follower = OpenStore(new SimulatedDisk());
        Assert.Throws<MetadataException>(() => follower.AppendReplica(leader.Read(1, 1 << 20)));
        Assert.Throws<MetadataException>(() => follower.AppendReplica(all.AsMemory(0, 20)));
        for (var position = 0; position < 100; position++)
        {
            var damaged = (byte[])all.Clone();
            damaged[position] ^= 4;
            Assert.Throws<MetadataException>(() => follower.AppendReplica(damaged));
            Assert.Equal(0, follower.EndOffset);
        }

        Assert.True(follower.AppendReplica(all));
        Assert.Throws<MetadataException>(() => follower.AppendReplica(all));
        Assert.Equal(leader.EndOffset, follower.EndOffset);
    }

    [Fact]
    public void What_is_committed_is_never_cut()
    {
        using var store = OpenInEpoch1();
        Write(store, Cluster(), Voters(1));
        store.Append(1, [Topic(TopicId(1), "a")], 2, NowMs);
        Assert.Throws<MetadataException>(() => store.TruncateTo(1));
        Assert.Equal(3, store.EndOffset);
        store.TruncateTo(2);
        Assert.Equal(2, store.EndOffset);
        Assert.Equal(Print(store.Committed), Print(store.Latest));
        store.Append(1, [Topic(TopicId(2), "a")], 2, NowMs);
        Assert.Equal(TopicId(2), store.Latest.Find("a")!.TopicId);
    }

    [Fact]
    public void Epochs_end_where_the_next_one_starts_also_below_a_snapshot()
    {
        using (var store = OpenInEpoch1(Roomy))
        {
            Write(store, Cluster());
            store.SaveState(Voted with { Epoch = 4 });
            Write(store, Topic(TopicId(1), "a"), Topic(TopicId(2), "b"));
            Assert.Equal(new EpochEnd(1, 1), store.FindEpochEnd(1));
            Assert.Equal(new EpochEnd(1, 1), store.FindEpochEnd(3));
            Assert.Equal(new EpochEnd(4, 3), store.FindEpochEnd(9));
            Assert.Equal(-1, store.FindEpochEnd(0).LeaderEpoch);
        }

        using var follower = OpenStore(new SimulatedDisk());
        follower.InstallSnapshot(Snapshot(_disk, out var offset), offset);
        Assert.Equal((4, new EpochEnd(4, 3)), (follower.LastEpoch, follower.FindEpochEnd(5)));
        Assert.Equal(-1, follower.FindEpochEnd(3).LeaderEpoch);
    }

    [Fact]
    public void Snapshot_of_the_leader_takes_the_place_of_the_log()
    {
        var expected = Fill(_disk, 5);
        var content = Snapshot(_disk, out var offset);
        var disk = new SimulatedDisk();
        using (var follower = OpenStore(disk))
        {
            follower.SaveState(Voted);
            follower.Append(1, [Cluster(), Topic(TopicId(9), "mine")], 0, NowMs);
            follower.Flush(NowMs);
            follower.InstallSnapshot(content, offset);
            Assert.Equal((offset, offset, offset), (follower.StartOffset, follower.EndOffset, follower.SnapshotOffset));
            Assert.Equal((expected, expected), (Print(follower.Latest), Print(follower.Committed)));
            Assert.Equal(content, follower.ReadSnapshot(offset));
            Assert.Null(follower.ReadSnapshot(offset - 1));
            Write(follower, Topic(TopicId(9), "mine"));
            expected = Print(follower.Latest);
        }

        using var again = OpenStore(disk.CrashImage(1, CrashMode.AllLost));
        Assert.Equal(expected, Print(again.Latest));
    }

    [Fact]
    public void Snapshot_that_is_damaged_or_behind_is_not_taken()
    {
        Fill(_disk, 5);
        var content = Snapshot(_disk, out var offset);
        using var follower = OpenStore(new SimulatedDisk());
        Assert.Throws<MetadataException>(() => follower.InstallSnapshot(content, offset + 1));
        for (var position = 0; position < content.Length; position += 7)
        {
            var damaged = (byte[])content.Clone();
            damaged[position] ^= 1;
            Assert.Throws<MetadataException>(() => follower.InstallSnapshot(damaged, offset));
            Assert.Throws<MetadataException>(() => follower.InstallSnapshot(content[..position], offset));
        }

        Assert.True(follower.IsEmpty);
        follower.SaveState(Voted);
        Write(follower, Cluster());
        for (var i = 0; i < 10; i++)
        {
            Write(follower, Topic(TopicId(i), $"t{i}"));
        }

        Assert.Throws<MetadataException>(() => follower.InstallSnapshot(content, offset));
        Assert.Equal(11, follower.EndOffset);
    }

    [Theory]
    [InlineData(CrashMode.AllLost, false)]
    [InlineData(CrashMode.AllKept, true)]
    public void Failed_sync_stops_the_store_for_good(CrashMode mode, bool isKept)
    {
        using var store = OpenInEpoch1(Roomy);
        Write(store, Cluster());
        _disk.FailSync(static _ => true);
        store.Append(1, [Topic(TopicId(1), "a")], 1, NowMs);
        Assert.Throws<LogIoException>(() => store.Flush(NowMs));
        Assert.Equal(1, store.DurableOffset);
        _disk.HealSync();
        Assert.Throws<LogIoException>(() => store.Flush(NowMs));
        Assert.Equal(1, store.DurableOffset);

        using var again = OpenStore(_disk.CrashImage(1, mode), Roomy);
        Assert.Equal(isKept ? 2 : 1, again.EndOffset);
    }

    [Fact]
    public void Full_disk_is_waited_out()
    {
        using var store = OpenInEpoch1(Roomy);
        Write(store, Cluster());
        _disk.Capacity -= _disk.FreeBytes;
        store.Append(1, [Topic(TopicId(1), "a", partitions: 20)], 1, NowMs);
        Assert.False(store.Flush(NowMs));
        Assert.Equal(1, store.DurableOffset);
        _disk.Capacity = long.MaxValue;
        Assert.True(store.Flush(NowMs));
        Assert.Equal(2, store.DurableOffset);
    }

    private static VotersChanged Voters(params int[] ids) => new()
    {
        Voters = [.. ids.Select(static id => new VoterRecord { NodeId = id, DirectoryId = Directory(id), Host = "h", Port = 1 })],
    };

    /// <summary>The bytes of a snapshot of everything that a disk has.</summary>
    private static byte[] Snapshot(SimulatedDisk disk, out long offset)
    {
        using var store = OpenStore(disk.CrashImage(1, CrashMode.AllKept), Roomy);
        offset = store.EndOffset;
        return MetadataSnapshot.Encode(store.Latest, store.LastEpoch);
    }

    private QuorumStore OpenInEpoch1(MetadataLogOptions? options = null)
    {
        var store = OpenStore(_disk, options);
        store.SaveState(Voted);
        return store;
    }
}
