using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Operator.Entities;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;
using Weir.Operator.Tests.Support;

namespace Weir.Operator.Tests;

/// <summary>The cache against an API server that does what real ones do on bad days.</summary>
public sealed class ReflectorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_are_put_together()
    {
        await using var bed = await Bed.StartAsync(new ReflectorOptions { PageSize = 2 }, "a", "b", "c", "d", "e");
        await bed.HasAsync("a", "b", "c", "d", "e");
    }

    [Fact]
    public async Task Changes_arrive()
    {
        await using var bed = await Bed.StartAsync(null, "a");
        await bed.HasAsync("a");
        bed.Put("b");
        await bed.HasAsync("a", "b");
        bed.Server.Remove(Bed.Path("a"));
        await bed.HasAsync("b");
    }

    [Fact]
    public async Task What_vanished_while_nobody_watched_is_reported_as_deleted()
    {
        await using var bed = await Bed.StartAsync(null, "a", "b");
        await bed.HasAsync("a", "b");
        bed.Server.Remove(Bed.Path("a"), isSilent: true);
        bed.Server.ForgetHistory();
        bed.Put("c");
        await bed.HasAsync("b", "c");
        Assert.Contains("-a", bed.Changes);
    }

    [Fact]
    public async Task Expired_history_as_a_status_lists_again()
    {
        await using var bed = await Bed.CreateAsync(null, "a");
        var refused = 0;
        bed.Server.Intercept = async context =>
        {
            if (context.Request.Query["watch"] != "true" || Interlocked.Increment(ref refused) > 1)
            {
                return false;
            }

            bed.Server.Remove(Bed.Path("a"), isSilent: true);
            await ApiServer.FailAsync(context, 410, "Expired", "too old resource version");
            return true;
        };
        bed.Run();
        await bed.HasAsync();
        Assert.True(refused >= 1);
    }

    [Fact]
    public async Task Expired_history_between_pages_lists_all_at_once()
    {
        await using var bed = await Bed.CreateAsync(new ReflectorOptions { PageSize = 1 }, "a", "b", "c");
        bed.Server.Intercept = async context =>
        {
            if (context.Request.Query["continue"] != "1")
            {
                return false;
            }

            await ApiServer.FailAsync(context, 410, "Expired", "the provided continue parameter is too old");
            return true;
        };
        bed.Run();
        await bed.HasAsync("a", "b", "c");
    }

    [Fact]
    public async Task End_of_the_stream_goes_on_from_the_last_event()
    {
        await using var bed = await Bed.CreateAsync(null, "a");
        var lists = 0;
        var watches = 0;
        bed.Server.Intercept = async context =>
        {
            if (context.Request.Query["watch"] != "true")
            {
                Interlocked.Increment(ref lists);
                return false;
            }

            switch (Interlocked.Increment(ref watches))
            {
                case 1:
                    // Ended in order, without an event.
                    return true;
                case 2:
                    // Cut in the middle of a line.
                    await context.Response.WriteAsync("""{"type":"ADDED","obj""");
                    await context.Response.Body.FlushAsync();
                    context.Abort();
                    return true;
                case 3:
                    context.Abort();
                    return true;
                default:
                    return false;
            }
        };
        bed.Run();
        await bed.HasAsync("a");
        bed.Put("b");
        await bed.HasAsync("a", "b");
        Assert.True(watches >= 4);
    }

    [Theory]
    [InlineData("this is no JSON\n")]
    [InlineData("[1,2,3]\n")]
    [InlineData("{\"type\":17,\"object\":null}\n")]
    [InlineData("{\"type\":\"ADDED\"}\n")]
    public async Task Garbage_in_the_stream_lists_again(string garbage)
    {
        await using var bed = await Bed.CreateAsync(null, "a");
        var watches = 0;
        bed.Server.Intercept = async context =>
        {
            if (context.Request.Query["watch"] != "true" || Interlocked.Increment(ref watches) > 1)
            {
                return false;
            }

            bed.Server.Remove(Bed.Path("a"), isSilent: true);
            await context.Response.WriteAsync(garbage);
            return true;
        };
        bed.Run();
        bed.Put("b");
        await bed.HasAsync("b");
    }

    [Theory]
    [InlineData("<html>a proxy's page</html>")]
    [InlineData("[]")]
    [InlineData("{\"items\":7}")]
    public async Task Garbage_instead_of_a_list_keeps_what_is_known_and_tries_again(string garbage)
    {
        await using var bed = await Bed.CreateAsync(null, "a");
        var lists = 0;
        bed.Server.Intercept = async context =>
        {
            if (context.Request.Query["watch"] == "true" || Interlocked.Increment(ref lists) > 2)
            {
                return false;
            }

            await context.Response.WriteAsync(garbage);
            return true;
        };
        bed.Run();
        await bed.HasAsync("a");
        Assert.DoesNotContain("-a", bed.Changes);
    }

    [Fact]
    public async Task Object_that_cannot_be_read_keeps_its_last_state_and_stops_no_other()
    {
        await using var bed = await Bed.StartAsync(null, "a");
        await bed.HasAsync("a");
        bed.Server.Change(Bed.Path("a"), static topic => topic["spec"]!["partitions"] = "many");
        bed.Put("b");
        await bed.HasAsync("a", "b");
        bed.Server.ForgetHistory();
        bed.Put("c");
        await bed.HasAsync("a", "b", "c");
        Assert.DoesNotContain("-a", bed.Changes);
    }

    [Fact]
    public async Task Half_open_watch_is_given_up_after_its_time()
    {
        var clock = new TestClock();
        await using var bed = await Bed.CreateAsync(null, clock, "a");
        var hanging = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var watches = 0;
        bed.Server.Intercept = async context =>
        {
            if (context.Request.Query["watch"] != "true" || Interlocked.Increment(ref watches) > 1)
            {
                return false;
            }

            hanging.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return true;
        };
        bed.Run();
        await hanging.Task.WaitAsync(Token);
        bed.Put("b");
        clock.Advance(TimeSpan.FromMinutes(10));
        await bed.HasAsync("a", "b");
    }

    [Fact]
    public async Task Server_that_asks_for_time_gets_it()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        var requests = 0;
        server.Intercept = async context =>
        {
            if (Interlocked.Increment(ref requests) > 2)
            {
                return false;
            }

            context.Response.Headers.RetryAfter = "7";
            await ApiServer.FailAsync(context, 429, "TooManyRequests", "later");
            return true;
        };
        using var api = server.Connect(clock, new OperatorMetrics());
        var get = new KubeResource<V1Alpha1Topic>(api).GetAsync(new ObjectKey("ns", "a"), Token);
        await clock.PassAsync(TimeSpan.FromSeconds(7));
        await clock.PassAsync(TimeSpan.FromSeconds(7));
        Assert.Null(await get);
        Assert.Equal(3, requests);
    }

    [Fact]
    public async Task Request_that_gets_no_answer_ends_after_its_time()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        server.Intercept = static async context =>
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return true;
        };
        using var api = server.Connect(clock, new OperatorMetrics());
        var get = new KubeResource<V1Alpha1Topic>(api).GetAsync(new ObjectKey("ns", "a"), Token);
        await clock.PassAsync(TimeSpan.FromSeconds(30));
        await Assert.ThrowsAsync<HttpRequestException>(() => get);
    }

    private sealed class Bed : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Informer<V1Alpha1Topic> _informer;
        private readonly KubeApi _api;
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Task _running = Task.CompletedTask;

        private Bed(ApiServer server, ReflectorOptions options, TimeProvider time)
        {
            Server = server;
            var metrics = new OperatorMetrics();
            _api = server.Connect(time, metrics);
            _informer = new Informer<V1Alpha1Topic>(
                new KubeResource<V1Alpha1Topic>(_api), ["ns"], string.Empty,
                options with { Backoff = TimeSpan.FromMilliseconds(1) }, time, static () => 0.5, metrics, NullLogger.Instance);
            _informer.AddHandler(change =>
            {
                Changes.Enqueue(change.After is null ? $"-{change.Before!.Metadata.Name}" : $"+{change.After.Metadata.Name}");
                Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            });
        }

        public ApiServer Server { get; }

        public ConcurrentQueue<string> Changes { get; } = [];

        public static string Path(string name) => OperatorBed.Topics + name;

        public static Task<Bed> CreateAsync(ReflectorOptions? options, params string[] names) =>
            CreateAsync(options, TimeProvider.System, names);

        public static async Task<Bed> CreateAsync(ReflectorOptions? options, TimeProvider time, params string[] names)
        {
            var bed = new Bed(await ApiServer.StartAsync(), options ?? new ReflectorOptions(), time);
            foreach (var name in names)
            {
                bed.Put(name);
            }

            return bed;
        }

        public static async Task<Bed> StartAsync(ReflectorOptions? options, params string[] names)
        {
            var bed = await CreateAsync(options, names);
            bed.Run();
            return bed;
        }

        public void Run() => _running = _informer.RunAsync(_stop.Token);

        public void Put(string name) => Server.Put(Path(name), new JsonObject
        {
            ["apiVersion"] = "weir.dev/v1alpha1",
            ["kind"] = "Topic",
            ["metadata"] = new JsonObject(),
            ["spec"] = new JsonObject { ["clusterRef"] = new JsonObject { ["name"] = "c" } },
        });

        /// <summary>Waits until the cache has just these.</summary>
        public async Task HasAsync(params string[] names)
        {
            while (true)
            {
                var changed = _changed.Task;
                var found = _informer.Store.Keys.Select(static key => key.Name).Order(StringComparer.Ordinal).ToList();
                if (_informer.Synced.IsCompleted && found.SequenceEqual(names))
                {
                    return;
                }

                await Task.WhenAny(changed, _informer.Synced.IsCompleted ? changed : _informer.Synced)
                    .WaitAsync(TimeSpan.FromSeconds(30), Token);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running;
            await Server.DisposeAsync();
            _api.Dispose();
            _stop.Dispose();
        }
    }
}
