using Weir.Metadata.Quorum;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Whose a data directory is, and whether it is still the one that voted and acknowledged.</summary>
[Trait("Category", "Unit")]
public sealed class DirectoryIdentityTests
{
    private static readonly Guid Boot = new("00000000-0000-0000-0000-000000000b01");
    private static readonly Guid NextBoot = new("00000000-0000-0000-0000-000000000b02");
    private readonly MetadataLogOptions _options = Tight();
    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void Directory_keeps_its_identity_and_a_wiped_one_has_another()
    {
        var first = Open(_disk);
        first.Join("c");
        var again = Open(_disk.CrashImage(1, CrashMode.AllLost));
        Assert.Equal((NodeId, first.DirectoryId, "c"), (again.NodeId, again.DirectoryId, again.ClusterId));
        Assert.Equal(4, first.DirectoryId.Version);
        Assert.NotEqual(first.DirectoryId, Open(new SimulatedDisk()).DirectoryId);
    }

    [Fact]
    public void Power_loss_at_any_step_leaves_the_identity_that_was_given()
    {
        for (var step = 1L; ; step++)
        {
            var disk = new SimulatedDisk();
            disk.CutPowerAtStep(step);
            DirectoryIdentity? given = null;
            var joined = false;
            var end = Record.Exception(() =>
            {
                given = Open(disk);
                given.Join("c");
                joined = true;
                given.MarkClean();
            });
            for (var seed = 0UL; seed < 8; seed++)
            {
                var found = Open(disk.CrashImage(seed));
                Assert.True(given is null || given.DirectoryId == found.DirectoryId);
                Assert.True(!joined || found.ClusterId == "c");
            }

            if (end is null)
            {
                break;
            }
        }
    }

    [Fact]
    public void Directory_of_another_node_or_cluster_is_refused()
    {
        var identity = Open(_disk);
        identity.Join("c");
        identity.Join("c");
        Assert.Contains("cluster c", Assert.Throws<MetadataException>(() => identity.Join("d")).Message, StringComparison.Ordinal);
        var other = Assert.Throws<MetadataException>(() => DirectoryIdentity.Open(_disk, NodeId + 1, Boot, _options.Random));
        Assert.Contains($"node {NodeId}", other.Message, StringComparison.Ordinal);
        Assert.Equal("c", Open(_disk).ClusterId);
    }

    [Fact]
    public void Damaged_identity_is_refused_and_not_given_anew()
    {
        Open(_disk).Join("c");
        for (var position = 0; position < 65; position++)
        {
            var disk = _disk.CrashImage(1, CrashMode.AllKept);
            disk.Rot("identity", position, bit: 2);
            Assert.Throws<MetadataException>(() => Open(disk));
        }
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(false, true, true)]
    [InlineData(true, false, false)]
    [InlineData(true, true, false)]
    public void Restart_is_lossy_only_without_an_end_in_order_and_after_a_start_of_the_machine(
        bool isClean, bool isNextBoot, bool isLossy)
    {
        var first = Open(_disk);
        Assert.False(first.IsLossyRestart);
        if (isClean)
        {
            first.MarkClean();
        }

        Assert.Equal(isLossy, Open(_disk, isNextBoot ? NextBoot : Boot).IsLossyRestart);
    }

    [Fact]
    public void End_in_order_counts_once()
    {
        Open(_disk).MarkClean();
        Assert.False(Open(_disk).IsLossyRestart);
        Assert.True(Open(_disk, NextBoot).IsLossyRestart);
    }

    [Fact]
    public void Lossy_restart_is_told_again_by_a_process_that_follows_one_that_could_not_tell_it()
    {
        Open(_disk);
        Assert.True(Open(_disk, NextBoot).IsLossyRestart);
        Assert.True(Open(_disk, NextBoot).IsLossyRestart);
    }

    [Fact]
    public void Damaged_metadata_is_discarded_under_a_new_identity_where_peers_have_it()
    {
        Damage();
        var identity = Open(_disk);
        var (before, logger) = (identity.DirectoryId, new ListLogger());
        using (var store = identity.OpenStore(hasPeers: true, logger, _options))
        {
            Assert.True(store.IsEmpty);
            Assert.Equal(QuorumState.Initial, store.State);
        }

        Assert.NotEqual(before, identity.DirectoryId);
        Assert.NotEmpty(logger.Warnings);
        Assert.Equal(identity.DirectoryId, Open(_disk.CrashImage(1, CrashMode.AllLost)).DirectoryId);
    }

    [Fact]
    public void Damaged_metadata_without_peers_is_refused_and_left_as_it_is()
    {
        Damage();
        var identity = Open(_disk);
        var before = (identity.DirectoryId, string.Join(',', _disk.ListFiles("metadata")));
        Assert.Throws<MetadataException>(() => identity.OpenStore(hasPeers: false, new ListLogger(), _options));
        Assert.Equal(before, (identity.DirectoryId, string.Join(',', _disk.ListFiles("metadata"))));
    }

    [Fact]
    public void Power_loss_while_damaged_metadata_is_discarded_never_leaves_it_under_the_old_identity_in_part()
    {
        Damage();
        var old = Open(_disk).DirectoryId;
        for (var step = 1L; ; step++)
        {
            var disk = _disk.CrashImage(1, CrashMode.AllKept);
            disk.CutPowerAtStep(step);
            var end = Record.Exception(() => Open(disk).OpenStore(hasPeers: true, new ListLogger(), _options).Dispose());
            for (var seed = 0UL; seed < 8; seed++)
            {
                var identity = Open(disk.CrashImage(seed));
                using var store = identity.OpenStore(hasPeers: true, new ListLogger(), _options);
                Assert.NotEqual(old, identity.DirectoryId);
            }

            if (end is null)
            {
                break;
            }
        }
    }

    [Fact]
    public void Whole_metadata_keeps_its_identity()
    {
        var expected = Fill(_disk, 5, _options);
        var identity = Open(_disk);
        var before = identity.DirectoryId;
        using var store = identity.OpenStore(hasPeers: true, new ListLogger(), _options);
        Assert.Equal((before, expected), (identity.DirectoryId, Print(store.Latest)));
    }

    private DirectoryIdentity Open(SimulatedDisk disk, Guid? bootId = null) =>
        DirectoryIdentity.Open(disk, NodeId, bootId ?? Boot, _options.Random);

    private void Damage()
    {
        Fill(_disk, 20, _options);
        foreach (var name in _disk.ListFiles("metadata").Where(static name => name.StartsWith("snapshot-", StringComparison.Ordinal)))
        {
            _disk.Rot($"metadata/{name}", 40, bit: 1);
        }
    }
}
