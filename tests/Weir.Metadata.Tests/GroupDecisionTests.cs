using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Declaring groups: what is refused with which code, and what the records leave behind.</summary>
[Trait("Category", "Unit")]
public sealed class GroupDecisionTests
{
    private static readonly Guid GroupId = new("00000000-0000-0000-0000-0000000000aa");
    private static readonly Guid StateId = new("00000000-0000-0000-0000-0000000000ab");
    private readonly MetadataController _controller = new(maxPartitions: 20);
    private readonly MetadataImage _image = World();

    public static TheoryData<ErrorCode, string, CreateGroupRequest> RefusedCreations => new()
    {
        { ErrorCode.InvalidGroupName, "", Group("") },
        { ErrorCode.InvalidGroupName, "", Group("a b") },
        { ErrorCode.InvalidGroupName, "", Group(new string('g', 250)) },
        { ErrorCode.GroupExists, "there", Group("there") },
        { ErrorCode.GroupExists, "there", Group("there", static group => group.OnUse = true) },
        { ErrorCode.NotAuthorized, "weir cluster set declare.groups.on.use=true", Group("g", static group => group.OnUse = true) },
        { ErrorCode.InvalidRequest, "mode 9", Group("g", static group => group.Mode = (GroupMode)9) },
        { ErrorCode.InvalidRequest, "no topic", Group("g", static group => group.Topics = []) },
        { ErrorCode.InvalidRequest, "twice", Group("g", static group => group.Topics = ["orders", "orders"]) },
        { ErrorCode.UnknownTopic, "'invoices' does not exist", Group("g", static group => group.Topics = ["orders", "invoices"]) },
        { ErrorCode.InvalidTopicName, "pattern", Group("g", static group => group.Topics = ["orders?"]) },
        { ErrorCode.InvalidTopicName, "pattern", Group("g", static group => group.Topics = [""]) },
        { ErrorCode.InvalidRequest, "starts at", Group("g", static group => group.Start = (StartPosition)7) },
        { ErrorCode.InvalidRequest, "starts at", Group("g", static group => group.StartValue = 1) },
        { ErrorCode.InvalidRequest, "starts at", At(StartPosition.Offset, -1) },
        { ErrorCode.InvalidRequest, "starts at", At(StartPosition.Timestamp, -1) },
        { ErrorCode.InvalidConfig, "did you mean 'lock.ms'", Group("g", static group => group.Configs = [Entry("lok.ms", "1")]) },
        { ErrorCode.InvalidConfig, "out of range", Group("g", static group => group.Configs = [Entry("lock.ms", "soon")]) },
        { ErrorCode.InvalidConfig, "below", Group("g", static group => group.Configs = [Entry("heartbeat.interval.ms", "10000")]) },
        { ErrorCode.InvalidConfig, "dead-letter topic", Group("g", static group => group.Configs = [Entry("key.failure", "pass")]) },
        { ErrorCode.UnknownTopic, "dead-letter topic 'none'", DeadLetters("none") },
        { ErrorCode.InvalidTopicName, "dead-letter topic", DeadLetters("dead*") },
        { ErrorCode.InvalidTopicName, "dead-letter topic", DeadLetters("__groups") },
        { ErrorCode.InvalidRequest, "come back", DeadLetters("orders") },
        { ErrorCode.InvalidRequest, "kind event", DeadLetters("customers") },
        { ErrorCode.InvalidRequest, "without a writer", DeadLetters("owned") },
        { ErrorCode.WrongGroupMode, "stream", Group("g", static group => (group.Mode, group.DeadLetterTopic) = (GroupMode.Stream, "dead")) },
    };

    public static TheoryData<ErrorCode, AlterGroupRequest> RefusedAlterations => new()
    {
        { ErrorCode.InvalidGroupName, new AlterGroupRequest { Name = "?" } },
        { ErrorCode.UnknownGroup, new AlterGroupRequest { Name = "g" } },
        { ErrorCode.UnknownTopic, new AlterGroupRequest { Name = "there", Topics = ["invoices"] } },
        { ErrorCode.InvalidRequest, new AlterGroupRequest { Name = "there", Topics = ["dead"] } },
        { ErrorCode.InvalidRequest, new AlterGroupRequest { Name = "there", DeadLetterTopic = "orders" } },
        { ErrorCode.InvalidConfig, new AlterGroupRequest { Name = "there", Configs = [Entry("paused", "maybe")] } },
        { ErrorCode.InvalidConfig, new AlterGroupRequest { Name = "there", DeadLetterTopic = "", Configs = [Entry("key.failure", "pass")] } },
    };

    [Theory]
    [MemberData(nameof(RefusedCreations), DisableDiscoveryEnumeration = true)]
    public void Declaration_is_refused_with_a_code_and_a_reason(ErrorCode code, string reason, CreateGroupRequest request)
    {
        var e = Assert.Throws<ProtocolException>(() => Create(_image, request));
        Assert.Equal(code, e.Code);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(RefusedAlterations), DisableDiscoveryEnumeration = true)]
    public void Alteration_is_refused_with_a_code(ErrorCode code, AlterGroupRequest request) =>
        Assert.Equal(code, Assert.Throws<ProtocolException>(() => MetadataController.AlterGroup(_image, request)).Code);

    [Fact]
    public void First_group_brings_the_topic_of_its_state_and_the_next_one_finds_it()
    {
        var records = Create(_image, Group("g"));
        var state = Assert.IsType<TopicCreated>(records[0]);
        Assert.Equal((GroupImage.StateTopic, StateId, 8), (state.Name, state.TopicId, state.Partitions.Length));
        Assert.Equal(["segment.bytes"], state.Configs.Select(static config => config.Name).Except(["durability"]));

        var image = Apply(_image, records);
        Assert.Equal(Durability.Fsync, image.Find(GroupImage.StateTopic)!.Settings.Durability);
        Assert.Single(Create(image, Group("h"), new Guid(1, 0, 0, new byte[8])));
        Assert.Equal(-1, _image.CoordinatorOf(_image.FindGroup("there")!));
        Assert.Equal(NodeId, image.CoordinatorOf(image.FindGroup("g")!));
    }

    [Fact]
    public void Topic_of_the_state_counts_against_the_limit_of_partitions()
    {
        var full = new MetadataController(maxPartitions: _image.PartitionCount + GroupImage.StatePartitions - 1);
        Assert.Equal(
            ErrorCode.LimitReached,
            Assert.Throws<ProtocolException>(() => full.CreateGroup(_image, Group("g"), GroupId, StateId, 1, NowMs)).Code);
    }

    [Fact]
    public void Declared_group_is_what_was_asked_for()
    {
        var request = Group("g", static group =>
        {
            group.Mode = GroupMode.Keyed;
            group.Topics = ["orders", "new.*"];
            group.Start = StartPosition.Timestamp;
            group.StartValue = 5;
            group.Configs = [Entry("key.failure", "PASS"), Entry("lock.ms", "1000")];
            group.DeadLetterTopic = "dead";
            group.Owner = "payroll";
        });

        var group = Apply(_image, Create(_image, request)).FindGroup("g")!;

        Assert.Equal(
            (GroupId, GroupMode.Keyed, StartPosition.Timestamp, 5L, "dead", "payroll", NowMs),
            (group.GroupId, group.Mode, group.Start, group.StartValue, group.DeadLetterTopic, group.Owner, group.CreatedAtMs));
        Assert.Equal((KeyFailurePolicy.Pass, 1000), (group.Settings.KeyFailure, group.Settings.LockMs));
        Assert.True(group.Consumes("orders") && group.Consumes("new.1"));
        Assert.False(group.Consumes("dead") || group.Consumes("__groups") || group.Consumes("order"));
    }

    [Fact]
    public void Alteration_changes_what_it_names_and_nothing_else()
    {
        var image = Altered(_image, new AlterGroupRequest { Name = "there", Topics = ["customers"], Configs = [Entry("paused", "true")] });
        image = Altered(image, new AlterGroupRequest { Name = "there", Owner = "payroll", Configs = [Entry("lock.ms", "1000")] });
        var group = image.FindGroup("there")!;
        Assert.Equal((true, 1000, "payroll", "dead"), (group.Settings.IsPaused, group.Settings.LockMs, group.Owner, group.DeadLetterTopic));
        Assert.Equal(["customers"], group.Topics);

        image = Altered(image, new AlterGroupRequest { Name = "there", Owner = "", DeadLetterTopic = "", Configs = [Entry("paused", null)] });
        group = image.FindGroup("there")!;
        Assert.Equal((false, 1000), (group.Settings.IsPaused, group.Settings.LockMs));
        Assert.True(group is { Owner: null, DeadLetterTopic: null });
        Assert.Empty(MetadataController.AlterGroup(image, new AlterGroupRequest { Name = "there", Topics = ["customers"], Owner = "" }));
    }

    [Fact]
    public void Group_whose_topic_was_deleted_can_still_be_altered()
    {
        var image = _image.Apply(MetadataController.DeleteTopic(_image, new DeleteTopicRequest { Name = "orders" }));
        Assert.Single(MetadataController.AlterGroup(image, new AlterGroupRequest { Name = "there", Owner = "payroll" }));
        Assert.Single(MetadataController.AlterGroup(image, new AlterGroupRequest { Name = "there", Topics = ["orders", "customers"] }));
    }

    [Fact]
    public void Deleted_group_is_gone_and_its_name_is_free()
    {
        var image = _image.Apply(MetadataController.DeleteGroup(_image, new DeleteGroupRequest { Name = "there" }));
        Assert.Null(image.FindGroup("there"));
        Assert.Equal(0, image.GroupCount);
        Assert.Equal(
            ErrorCode.UnknownGroup,
            Assert.Throws<ProtocolException>(() => MetadataController.DeleteGroup(image, new DeleteGroupRequest { Name = "there" })).Code);
        Assert.NotNull(Apply(image, Create(image, Group("there"))).FindGroup(GroupId));
    }

    [Fact]
    public void Cluster_takes_so_many_groups_and_no_more()
    {
        var image = _image;
        for (var i = 1; image.GroupCount < 10_000; i++)
        {
            image = image.Apply(new GroupCreated { GroupId = new Guid(i, 1, 0, new byte[8]), Name = $"g{i}", Topics = ["orders"] });
        }

        Assert.Equal(ErrorCode.LimitReached, Assert.Throws<ProtocolException>(() => Create(image, Group("one-more"))).Code);
        Assert.Equal(Print(image), Print(MetadataImage.FromSnapshot(image.ToSnapshot(), image.NextOffset)));
    }

    [Fact]
    public void Group_may_be_declared_on_use_where_the_cluster_says_so_and_not_after_it_takes_it_back()
    {
        var allowed = Set(_image, "declare.groups.on.use", "TRUE");
        Assert.True(allowed.Settings.DeclaresGroupsOnUse);
        Assert.Equal(2, Create(allowed, Group("g", static group => group.OnUse = true)).Count);
        Assert.Empty(MetadataController.AlterCluster(allowed, Cluster("declare.groups.on.use", "true")));
        Assert.True(MetadataImage.FromSnapshot(allowed.ToSnapshot(), allowed.NextOffset).Settings.DeclaresGroupsOnUse);

        var again = Set(allowed, "declare.groups.on.use", null);
        Assert.Throws<ProtocolException>(() => Create(again, Group("g", static group => group.OnUse = true)));
    }

    [Theory]
    [InlineData("declare.groups.on.us", "true", "did you mean 'declare.groups.on.use'")]
    [InlineData("declare.groups.on.use", "perhaps", "out of range: false, true")]
    public void Setting_of_the_cluster_is_refused_with_a_hint(string name, string value, string hint)
    {
        var e = Assert.Throws<ProtocolException>(() => MetadataController.AlterCluster(_image, Cluster(name, value)));
        Assert.Equal(ErrorCode.InvalidConfig, e.Code);
        Assert.Contains(hint, e.Message, StringComparison.Ordinal);
    }

    private static MetadataImage World()
    {
        var customers = Topic(TopicId(2), "customers");
        customers.TopicKind = TopicKind.Entity;
        var owned = Topic(TopicId(4), "owned");
        owned.Configs = [new ConfigSetting { Name = "writer", Value = "payroll" }];
        return TestMetadata.Apply(
        [
            TestMetadata.Cluster(), .. Broker(NodeId), Topic(TopicId(1), "orders", 3), customers, Topic(TopicId(3), "dead"), owned,
            new GroupCreated
            {
                GroupId = new Guid(77, 0, 0, new byte[8]), Name = "there", Mode = GroupMode.Queue, Topics = ["orders"], DeadLetterTopic = "dead",
            },
        ]);
    }

    private static CreateGroupRequest Group(string name, Action<CreateGroupRequest>? change = null)
    {
        var request = new CreateGroupRequest { Name = name, Mode = GroupMode.Queue, Topics = ["orders"] };
        change?.Invoke(request);
        return request;
    }

    private static CreateGroupRequest At(StartPosition start, long value) =>
        Group("g", group => (group.Start, group.StartValue) = (start, value));

    private static CreateGroupRequest DeadLetters(string topic) => Group("g", group => group.DeadLetterTopic = topic);

    private static AlterClusterRequest Cluster(string name, string? value) => new() { Configs = [Entry(name, value)] };

    private static MetadataImage Set(MetadataImage image, string name, string? value) =>
        Apply(image, MetadataController.AlterCluster(image, Cluster(name, value)));

    private static MetadataImage Altered(MetadataImage image, AlterGroupRequest request) =>
        Apply(image, MetadataController.AlterGroup(image, request));

    private static MetadataImage Apply(MetadataImage image, IReadOnlyList<IMetadataRecord> records) =>
        records.Aggregate(image, static (next, record) => next.Apply(record));

    private IReadOnlyList<IMetadataRecord> Create(MetadataImage image, CreateGroupRequest request, Guid? groupId = null) =>
        _controller.CreateGroup(image, request, groupId ?? GroupId, StateId, seed: 1, NowMs);
}
