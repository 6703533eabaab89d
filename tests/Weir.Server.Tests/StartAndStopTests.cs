using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Weir.Client;
using Weir.Protocol.Errors;
using Weir.Server.Options;
using Weir.Storage.Files;
using Xunit;

namespace Weir.Server.Tests;

public sealed class StartAndStopTests
{
    [Fact]
    public async Task Data_directory_in_use_is_refused_by_name()
    {
        var directory = Directory.CreateTempSubdirectory("weir-server-test-");
        await using var broker = await RunningBroker.StartAsync(directory.FullName);
        var refused = await Assert.ThrowsAsync<DataDirectoryInUseException>(() => RunningBroker.StartAsync(directory.FullName));
        Assert.Contains(directory.FullName, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Port_in_use_is_refused_and_the_directory_is_free_again()
    {
        await using var broker = await RunningBroker.StartAsync();
        var directory = Directory.CreateTempSubdirectory("weir-server-test-");
        await Assert.ThrowsAsync<SocketException>(() =>
            RunningBroker.StartAsync(directory.FullName, options => options.Listen = broker.Address));
        await using var next = await RunningBroker.StartAsync(directory.FullName);
        Assert.True(next.Broker.IsReady);
    }

    [Fact]
    public void All_faults_of_the_options_are_reported_at_once()
    {
        var result = new BrokerOptionsValidator().Validate(null, new BrokerOptions
        {
            Listen = "nowhere",
            Http = "neither",
            NodeId = -1,
            MaxFrameBytes = 1,
        });
        Assert.True(result.Failed);
        Assert.Equal(5, result.Failures!.Count());
    }

    [Fact]
    public void Open_listener_without_authentication_needs_an_unsafe_setting()
    {
        var validator = new BrokerOptionsValidator();
        var options = new BrokerOptions { Data = "d", Listen = "0.0.0.0:9650" };
        Assert.True(validator.Validate(null, options).Failed);
        options.UnsafeAllowAnonymous = true;
        Assert.Equal(ValidateOptionsResult.Success, validator.Validate(null, options));
    }

    [Fact]
    public async Task Topics_records_and_producer_ids_survive_a_restart()
    {
        var directory = Directory.CreateTempSubdirectory("weir-server-test-");
        string clusterId;
        await using (var broker = await RunningBroker.StartAsync(directory.FullName))
        {
            await using var client = await broker.ConnectAsync();
            clusterId = client.ClusterId;
            await client.Admin.CreateTopicAsync("kept", new TopicSpec { Partitions = 3 }, TestContext.Current.CancellationToken);
            await using var producer = client.CreateProducer("kept");
            for (var i = 0; i < 300; i++)
            {
                await producer.PostAsync(
                    new OutgoingRecord { Key = BitConverter.GetBytes(i % 7), Value = BitConverter.GetBytes(i) },
                    TestContext.Current.CancellationToken);
            }

            await producer.FlushAsync(TestContext.Current.CancellationToken);
        }

        await using var again = await RunningBroker.StartAsync(directory.FullName);
        await using var reader = await again.ConnectAsync();
        Assert.Equal(clusterId, reader.ClusterId);
        var values = new List<int>();
        await using var consumer = reader.CreateConsumer("kept", new ConsumerOptions { StopAtEnd = true });
        await foreach (var record in consumer.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            values.Add(BitConverter.ToInt32(record.Value!.Value.Span));
        }

        Assert.Equal(Enumerable.Range(0, 300), values.Order());
        foreach (var group in values.GroupBy(static value => value % 7))
        {
            Assert.Equal(group.Order(), group);
        }
    }

    [Fact]
    public async Task Refused_topic_requests_have_typed_errors()
    {
        await using var broker = await RunningBroker.StartAsync();
        await using var client = await broker.ConnectAsync();
        var token = TestContext.Current.CancellationToken;
        await client.Admin.CreateTopicAsync("t", null, token);
        Assert.Equal(ErrorCode.TopicExists, await CodeOfAsync(() => client.Admin.CreateTopicAsync("t", null, token)));
        Assert.Equal(ErrorCode.InvalidTopicName, await CodeOfAsync(() => client.Admin.CreateTopicAsync("a/b", null, token)));
        Assert.Equal(ErrorCode.InvalidTopicName, await CodeOfAsync(() => client.Admin.CreateTopicAsync("..", null, token)));
        Assert.Equal(ErrorCode.UnknownTopic, await CodeOfAsync(() => client.Admin.DeleteTopicAsync("none", token)));
        Assert.Equal(
            ErrorCode.InvalidRequest,
            await CodeOfAsync(() => client.Admin.CreateTopicAsync("p", new TopicSpec { Partitions = 0 }, token)));
        Assert.Equal(
            ErrorCode.InvalidConfig,
            await CodeOfAsync(() => client.Admin.CreateTopicAsync(
                "c", new TopicSpec { Configs = new Dictionary<string, string?> { ["nonsense"] = "1" } }, token)));
    }

    private static async Task<ErrorCode> CodeOfAsync(Func<Task> action) =>
        (await Assert.ThrowsAsync<WeirException>(action)).Code;
}
